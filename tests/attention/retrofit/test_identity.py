from __future__ import annotations

import pytest
import torch

from pellucid.attention import PRESETS, GateSpec
from pellucid.attention.gate import Gate
from pellucid.attention.retrofit import starting_at_identity, why_not_identity
from pellucid.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_start_at_one(name):
    spec = starting_at_identity(name)
    gate = Gate(spec, heads=4, head_dim=8, input_dim=32)
    values = gate(torch.randn(2, 5, 32))
    assert (values - 1).abs().max() < 1e-6
    exact = bool((values == 1).all())
    assert (why_not_identity(spec) is None) == exact
    assert exact or "rounding" in why_not_identity(spec)


def test_two_sigma_is_exact_in_every_dtype():
    spec = starting_at_identity("vga-key")
    assert spec.gain == 2
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        assert why_not_identity(spec, dtype) is None


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (GateSpec(), "starts at 0.5"),
        (GateSpec(gain=2.0, weight_std=0.01), "random"),
        (GateSpec(gain=2.0, weight_std=None), "random"),
        (GateSpec(gain=2.0, bias=1.0), "starts at 1.462"),
    ],
)
def test_reasons(spec, reason):
    assert reason in why_not_identity(spec)
    assert why_not_identity(starting_at_identity(GateSpec())) is None


def test_a_gate_that_starts_at_zero_cannot_be_the_identity():
    with pytest.raises(ConfigError, match="starts at 0"):
        starting_at_identity(GateSpec(activation="silu"))
