from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from pellucid.attention import PRESETS, Gate, GateSpec, gate_preset, merge_heads
from pellucid.errors import ConfigError

from .helpers import heads

SIZES = {"heads": 4, "head_dim": 8, "input_dim": 24}


def signal_for(gate: Gate, tokens: int = 5):
    return heads(2, tokens, gate.signal_dim)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_make_gates_of_their_shape(name):
    spec = gate_preset(name)
    gate = Gate(spec, kv_heads=2, **SIZES)
    owners = 2 if spec.placement == "key" else 4
    trailing = (8,) if spec.granularity == "element" else ()
    values = gate(signal_for(gate))
    assert values.shape == (2, owners, 5, *trailing)
    assert values.min() > 0
    assert values.max() < spec.gain


@pytest.mark.parametrize(
    ("name", "signal", "placement", "granularity", "features"),
    [
        ("vga-key", "value", "key", "head", "head"),
        ("vga-query", "value", "query", "head", "all"),
        ("vga-mixed", "mixed", "query", "head", "all"),
        ("iga", "input", "key", "head", "all"),
        ("iga-query", "input", "query", "head", "all"),
        ("bondarenko", "input", "query", "head", "head"),
        ("g1", "input", "query", "element", "all"),
        ("g2", "input", "key", "element", "all"),
    ],
)
def test_presets_are_the_published_forms(name, signal, placement, granularity, features):
    spec = PRESETS[name]
    found = (spec.signal, spec.placement, spec.granularity, spec.features)
    assert found == (signal, placement, granularity, features)


def test_vga_key_is_equation_6_per_head():
    gate = Gate(PRESETS["vga-key"], heads=4, head_dim=8)
    nn.init.normal_(gate.weight)
    value = heads(2, 4, 5, 8)
    expected = torch.stack(
        [torch.sigmoid(value[:, h] @ gate.weight[h, 0]) for h in range(4)], dim=1
    )
    torch.testing.assert_close(gate(merge_heads(value)), expected)


def test_vga_query_sees_all_heads():
    gate = Gate(PRESETS["vga-query"], heads=4, head_dim=8, kv_heads=2)
    nn.init.normal_(gate.weight)
    value = heads(2, 2, 5, 8)
    flat = torch.cat([value[:, 0], value[:, 1]], dim=-1)
    expected = torch.sigmoid(flat @ gate.weight.T).transpose(1, 2)
    torch.testing.assert_close(gate(merge_heads(value)), expected)


def test_number_of_parameters_is_the_papers():
    assert Gate(PRESETS["vga-query"], heads=12, head_dim=64).weight.numel() == 768 * 12
    assert Gate(PRESETS["vga-key"], heads=12, head_dim=64).weight.numel() == 768


def test_bondarenko_starts_at_a_quarter_and_finetuning_at_one():
    for name, start in [("bondarenko", 0.25), ("bondarenko-finetune", 1.0)]:
        gate = Gate(PRESETS[name], **SIZES)
        nn.init.zeros_(gate.weight)
        torch.testing.assert_close(gate(signal_for(gate)), torch.full((2, 4, 5), start))


def test_twice_sigmoid_with_zero_weight_is_exactly_one():
    gate = Gate(GateSpec(gain=2.0), **SIZES)
    assert (gate(signal_for(gate)) == 1.0).all()


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.5, 4.0])
def test_gain_is_a_factor(gain):
    gate = Gate(GateSpec(gain=gain), **SIZES)
    assert (gate(signal_for(gate)) == gain / 2).all()


def test_the_printout_tells_what_it_is():
    shown = repr(Gate(PRESETS["iga"], **SIZES))
    assert "signal='input'" in shown
    assert "heads=4" in shown


def test_silu():
    gate = Gate(GateSpec("input", features="all", activation="silu", weight_std=1.0), **SIZES)
    signal = signal_for(gate)
    logits = signal @ gate.weight.T
    expected = (logits * torch.sigmoid(logits)).transpose(1, 2)
    torch.testing.assert_close(gate(signal), expected)


def test_low_rank_is_the_product_of_its_factors():
    spec = GateSpec("input", "query", "element", features="all", rank=3, weight_std=None)
    gate = Gate(spec, **SIZES)
    assert gate.weight.shape == (32, 3)
    signal = signal_for(gate)
    expected = signal @ gate.dense_weight().T
    torch.testing.assert_close(gate.logits(signal), expected)
    assert torch.linalg.matrix_rank(gate.dense_weight()) == 3


def test_initialisation():
    spec = GateSpec("input", features="all", weight_std=None, bias=1.5)
    gate = Gate(spec, heads=64, head_dim=8, input_dim=256)
    assert gate.weight.abs().max() <= 256**-0.5
    assert gate.weight.std().item() == pytest.approx((3 * 256) ** -0.5, rel=0.1)
    assert (gate.bias == 1.5).all()
    per_head = Gate(PRESETS["bondarenko"], heads=4, head_dim=8, input_dim=256)
    assert 0.9 * 64**-0.5 < per_head.weight.abs().max() <= 64**-0.5
    normal = Gate(dataclasses.replace(spec, weight_std=0.3), heads=64, head_dim=8, input_dim=64)
    assert normal.weight.std().item() == pytest.approx(0.3, rel=0.1)


def test_merge_heads_of_a_projection_is_a_view():
    tokens = heads(2, 5, 32)
    split = tokens.view(2, 5, 4, 8).transpose(1, 2)
    assert merge_heads(split).data_ptr() == tokens.data_ptr()
    torch.testing.assert_close(merge_heads(split), tokens)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"signal": "mixed"}, "only after"),
        ({"signal": "keys"}, "signal must be one of"),
        ({"placement": "both"}, "placement must be one of"),
        ({"rank": 2}, "features='all'"),
        ({"rank": 0, "features": "all"}, "at least 1"),
        ({"gain": 0.0}, "positive"),
        ({"weight_std": -1.0}, "negative"),
    ],
)
def test_contradictions_are_errors(fields, message):
    with pytest.raises(ConfigError, match=message):
        GateSpec(**fields)


def test_the_least_that_is_allowed():
    assert GateSpec(rank=1, features="all").rank == 1
    assert GateSpec(weight_std=0.0).weight_std == 0.0


def test_unknown_preset():
    with pytest.raises(ConfigError, match="choose from vga-key"):
        gate_preset("vga")


@pytest.mark.parametrize(
    ("spec", "sizes", "message"),
    [
        (PRESETS["iga"], {"heads": 4, "head_dim": 8}, "input_dim"),
        (GateSpec("value", "query"), {"heads": 4, "head_dim": 8, "kv_heads": 2}, "grouped"),
        (PRESETS["bondarenko"], {"heads": 4, "head_dim": 8, "input_dim": 30}, "split among"),
    ],
)
def test_impossible_layers_are_errors(spec, sizes, message):
    with pytest.raises(ConfigError, match=message):
        Gate(spec, **sizes)


def test_wrong_signal_width():
    gate = Gate(PRESETS["iga"], **SIZES)
    with pytest.raises(ConfigError, match="width 24"):
        gate(heads(2, 5, 23))
