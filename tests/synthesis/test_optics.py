"""Optics, each against its physics."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from pellucid.synthesis import optics


def source(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def dot(side: int) -> Tensor:
    light = torch.zeros(1, 3, side, side)
    light[..., side // 2, side // 2] = 1.0
    return light


def measured_sigma(blurred: Tensor) -> float:
    """Spread to the right and left of a dot in the middle."""
    row = blurred[0, 0].sum(dim=0)
    place = torch.arange(len(row)) - len(row) // 2.0
    return math.sqrt(float((row * place**2).sum() / row.sum()))


@settings(max_examples=15)
@given(sigma=st.floats(0.05, 12.0), seed=st.integers(0, 99))
def test_blur_keeps_the_range_and_an_even_field(sigma, seed):
    light = torch.rand(2, 3, 48, 64, generator=source(seed))
    sigmas = torch.tensor([sigma, 0.05])
    blurred = optics.blur(light, sigmas)
    assert blurred.min() >= light.min() - 1e-5
    assert blurred.max() <= light.max() + 1e-5
    even = optics.blur(torch.full_like(light, 0.3), sigmas)
    torch.testing.assert_close(even, torch.full_like(light, 0.3), atol=1e-5, rtol=0)
    torch.testing.assert_close(blurred[1], light[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 5.0, 9.0])
def test_blur_has_the_sigma_it_was_given(sigma):
    measured = measured_sigma(optics.blur(dot(129), torch.tensor([sigma])))
    # The wide blur is done on a copy reduced by four, which adds a little of its own.
    assert measured == pytest.approx(sigma, rel=0.1 if sigma <= 6 else 0.2)


@settings(max_examples=15)
@given(sigma=st.floats(0.05, 8.0), seed=st.integers(0, 99))
def test_defocus_keeps_the_range_and_an_even_field(sigma, seed):
    light = torch.rand(2, 3, 48, 64, generator=source(seed))
    sigmas = torch.tensor([sigma, 0.05])
    blurred = optics.defocus(light, sigmas)
    assert blurred.min() >= 0.0
    assert blurred.max() <= light.max() + 1e-4
    even = optics.defocus(torch.full_like(light, 0.3), sigmas)
    torch.testing.assert_close(even, torch.full_like(light, 0.3), atol=1e-5, rtol=0)
    torch.testing.assert_close(blurred[1], light[1], atol=0, rtol=0)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 5.0])
def test_defocus_draws_a_dot_as_a_disk_as_wide_as_a_gaussian(sigma):
    disk = optics.defocus(dot(65), torch.tensor([sigma]))
    assert measured_sigma(disk) == pytest.approx(sigma, rel=0.1)
    gaussian = 1.0 / (2.0 * math.pi * sigma**2)
    assert float(disk.max()) < 0.7 * gaussian  # a disk is flat: half of it where it is wide


def test_a_photo_smaller_than_the_disk_is_blurred_all_the_same():
    light = torch.rand(1, 3, 8, 8, generator=source())
    assert torch.isfinite(optics.defocus(light, torch.tensor([7.0]))).all()


def test_ghosting_moves_the_second_copy():
    light = torch.zeros(1, 3, 32, 32)
    light[..., 10, 12] = 1.0
    ghosted = optics.ghosting(light, torch.tensor([[5.0, 3.0]]), torch.tensor([0.25]))
    assert float(ghosted[0, 0, 10, 12]) == pytest.approx(0.75, abs=1e-4)
    assert float(ghosted[0, 0, 13, 17]) == pytest.approx(0.25, abs=1e-4)


def test_fresnel_at_normal_and_at_grazing_incidence():
    angle = torch.tensor([0.0, math.pi / 2]).reshape(1, 1, 2)
    reflectance = optics.fresnel(torch.tensor([0.08]), angle).flatten()
    torch.testing.assert_close(reflectance, torch.tensor([0.08, 1.0]))


def test_incidence_is_zero_where_the_ray_meets_the_pane_head_on():
    angle = optics.incidence(33, 65, torch.zeros(1, 2), torch.tensor([0.5]))
    assert float(angle[0, 16, 32]) < 2e-3
    assert float(angle[0, 16, 0]) == pytest.approx(0.5, abs=1e-3)


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_panes_and_clouds_are_shares(seed):
    for field in (optics.pane(24, 40, 5, source(seed)), optics.clouds(24, 40, 5, source(seed))):
        assert field.shape == (5, 1, 24, 40)
        assert 0 <= field.min() <= field.max() <= 1


def test_highlights_touch_only_what_is_bright():
    light = torch.tensor([0.2, 0.5, 1.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3)
    bright = optics.highlights(light, torch.tensor([4.0]))[0, 0, 0]
    torch.testing.assert_close(bright, torch.tensor([0.2, 0.5, 4.0]))


def test_white_balance_keeps_the_mean_of_grey():
    light = torch.full((3, 3, 2, 2), 0.4)
    balanced = light * optics.white_balance(3, 0.3, source())
    torch.testing.assert_close(balanced.mean(dim=1), light.mean(dim=1))
    assert (balanced - light).abs().max() > 0.01


def test_noise_grows_with_light():
    light = torch.cat([torch.full((1, 3, 64, 64), level) for level in (0.01, 1.0)])
    scale = torch.full((2,), 0.02)
    noise = optics.sensor_noise(light, scale, 0.1 * scale, source()) - light
    assert noise[1].std() == pytest.approx(math.sqrt(0.02**2 + 0.002**2), rel=0.05)
    assert noise[0].std() < 0.2 * noise[1].std()
