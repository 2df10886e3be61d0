from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pellucid.attention.quantisation.activations import ActivationQuantiser, Noise, real_tokens
from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.grids import asymmetric_grid, symmetric_grid, weight_grid
from pellucid.errors import ConfigError

from ..helpers import heads


@given(st.floats(-10, 5), st.floats(0, 10), st.integers(2, 8))
def test_an_asymmetric_grid_holds_zero_and_is_half_a_step_off_at_most(low, width, bits):
    values = torch.linspace(low, low + width, 101)
    grid = asymmetric_grid(values.min(), values.max(), bits)
    rounded = grid.round(values)
    # The zero is rounded to a step, so that the range may end half a step early.
    assert (rounded - values).abs().max() <= 1.001 * grid.scale + 1e-6
    assert grid.round(torch.zeros(())) == 0
    assert len(rounded.unique()) <= 2**bits


def test_what_is_outside_is_cut_off():
    grid = asymmetric_grid(torch.tensor(-1.0), torch.tensor(3.0), 8)
    outside = grid.round(torch.tensor([-50.0, 50.0]))
    assert outside.tolist() == pytest.approx([-1.0, 3.0], abs=0.02)


def test_a_symmetric_grid_is_the_usual_one():
    weight = torch.tensor([[0.5, -1.27], [0.004, 0.006]])
    rounded = symmetric_grid(weight.abs().max(), 8).round(weight)
    assert rounded.flatten().tolist() == pytest.approx([0.5, -1.27, 0.0, 0.01], abs=1e-6)


def test_a_channel_of_its_own_scale_keeps_small_channels():
    weight = heads(4, 16) * torch.tensor([[100.0], [1.0], [0.01], [0.0]])
    errors = []
    for per_channel in (False, True):
        config = QuantisationConfig(per_channel=per_channel)
        rounded = weight_grid(weight, (1,), config).round(weight)
        errors.append((rounded - weight).norm(dim=1))
    assert errors[0][2] == weight[2].norm()  # all of it is lost
    assert errors[1][2] < 0.01 * weight[2].norm()
    assert errors[1][3] == 0


@pytest.mark.parametrize("per_channel", [False, True])
def test_an_mse_grid_has_the_smaller_error(per_channel):
    weight = heads(8, 64)
    weight[0, 0] = 8.0
    errors = {}
    for kind in ("minmax", "mse"):
        config = QuantisationConfig(4, 8, per_channel, kind)
        rounded = weight_grid(weight, (1,), config).round(weight)
        errors[kind] = (rounded - weight).square().mean()
    assert errors["mse"] < 0.95 * errors["minmax"]


def test_the_range_is_a_running_one():
    quantiser = ActivationQuantiser(QuantisationConfig(momentum=0.9))
    for batch in ([-1.0, 2.0], [-2.0, 12.0]):
        quantiser.calibrate(torch.tensor(batch))
    expected = asymmetric_grid(torch.tensor(-1.1), torch.tensor(3.0), 8)
    assert quantiser.grid is not None
    assert quantiser.grid.scale == pytest.approx(float(expected.scale), rel=1e-6)
    assert quantiser.grid.zero == expected.zero
    with pytest.raises(ConfigError, match="not finite"):
        quantiser.calibrate(torch.tensor([math.inf]))


def test_noise_is_in_decibels():
    noise = Noise()
    noise.add(torch.ones(100), torch.full((100,), 1.1))
    assert noise.decibels == pytest.approx(20, abs=1e-4)
    assert math.isnan(Noise().decibels)
    assert math.isinf(_noise(torch.ones(2), torch.ones(2)).decibels)


def _noise(exact, rounded):
    noise = Noise()
    noise.add(exact, rounded)
    return noise


def test_padding_is_left_out():
    real = torch.tensor([[True, True, False], [True, False, False]])
    assert real_tokens(torch.zeros(2, 3, 5), real).shape == (3, 5)
    assert real_tokens(torch.zeros(2, 4, 3, 5), real).shape == (3, 4, 5)
    assert real_tokens(torch.zeros(3, 5), real).shape == (3, 5)
    assert real_tokens(torch.zeros(2, 3, 5), None).shape == (2, 3, 5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weight_bits": 1}, "2 to 16"),
        ({"momentum": 1.0}, "momentum"),
        ({"weight_grid": "best"}, "weight_grid"),
        ({"kinds": ("convolution",)}, "kinds"),
        ({"kinds": ()}, "kinds"),
    ],
)
def test_impossible_configurations(fields, message):
    with pytest.raises(ConfigError, match=message):
        QuantisationConfig(**fields)


def test_configurations_have_names():
    config = QuantisationConfig.of("w4a8-channel-mse")
    assert config == QuantisationConfig(4, 8, per_channel=True, weight_grid="mse")
    for name in ("W8A8", "W4A8-channel", "W4A4-mse", "W16A2-channel-mse"):
        assert str(QuantisationConfig.of(name)) == name
    with pytest.raises(ConfigError, match="write it as W8A8"):
        QuantisationConfig.of("int8")
