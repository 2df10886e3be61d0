from __future__ import annotations

import pytest
import torch

from pellucid.network.light import to_encoded, to_light
from pellucid.photo import linear_to_srgb, srgb_to_linear

# Either side of both joints of the curve, and its ends.
VALUES = [0.0, 0.001, 0.0031, 0.0032, 0.02, 0.0404, 0.0405, 0.18, 0.5, 0.735, 1.0]


def test_they_are_those_of_the_photos():
    values = torch.tensor(VALUES, dtype=torch.float64)
    light, encoded = (torch.as_tensor(made(VALUES)) for made in (srgb_to_linear, linear_to_srgb))
    torch.testing.assert_close(to_light(values).float(), light, atol=1e-6, rtol=0)
    torch.testing.assert_close(to_encoded(values).float(), encoded, atol=1e-6, rtol=0)


def test_light_and_its_encoding_are_inverse():
    encoded = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(to_encoded(to_light(encoded)), encoded, atol=1e-6, rtol=0)


def test_below_black_the_slope_is_gentle():
    light = torch.tensor([-0.5, -0.01], dtype=torch.float64)
    torch.testing.assert_close(to_encoded(light), light)


@pytest.mark.parametrize("convert", [to_light, to_encoded])
def test_gradients_are_those_of_the_curve(convert):
    values = torch.tensor([0.001, 0.02, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(convert, values)


@pytest.mark.parametrize(("convert", "slope"), [(to_light, 1 / 12.92), (to_encoded, 12.92)])
def test_gradients_at_black_are_the_curves(convert, slope):
    black = torch.zeros(3, requires_grad=True)
    convert(black).sum().backward()
    assert black.grad is not None
    torch.testing.assert_close(black.grad, torch.full((3,), slope))
