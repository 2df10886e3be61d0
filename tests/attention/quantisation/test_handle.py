from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention import (
    Attention,
    AttentionConfig,
    ClippedSoftmax,
    SigmoidAttention,
    gate_preset,
)
from pellucid.attention.quantisation import QuantisationConfig, quantise
from pellucid.attention.quantisation.sites import LayerSite
from pellucid.attention.retrofit import retrofit
from pellucid.attention.retrofit.parity import default_probe, run_probe
from pellucid.errors import ConfigError

from ..retrofit.models import TORCH, TRANSFORMERS, bert, build, gpt2


def probe_of(model: nn.Module):
    probe = default_probe(model)
    assert probe is not None
    return probe


@pytest.mark.parametrize("make", TRANSFORMERS + TORCH, ids=lambda make: make.__name__)
def test_every_family_is_quantised_and_comes_back_bit_identical(make):
    model = build(make)
    probe = probe_of(model)
    before, parameters = run_probe(model, probe), dict(model.named_parameters())
    distances = []
    for bits in ("W8A8", "W4A4"):
        with quantise(model, [probe], QuantisationConfig.of(bits)) as quantised:
            distances.append(relative_distance(before, run_probe(model, probe)))
            assert {site.kind for site in quantised.sites.values()} == {"linear", "attention"}
            assert not any("Linear" in reason for reason in quantised.left_out.values())
    assert 0 < distances[0] < 0.2 * distances[1]
    assert all(map(torch.equal, before, run_probe(model, probe)))
    after = dict(model.named_parameters())
    assert after.keys() == parameters.keys()
    assert all(after[name] is parameter for name, parameter in parameters.items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def relative_distance(exact: list[Tensor], rounded: list[Tensor]) -> float:
    return max(float((a - b).norm() / a.norm()) for a, b in zip(exact, rounded, strict=True))


def rounded_by_hand(values: Tensor, low: float, high: float, bits: int = 8) -> Tensor:
    """Asymmetric, written out number by number."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (2**bits - 1)
    zero = round(-low / scale)
    steps = [round(v / scale) + zero for v in values.flatten().tolist()]
    kept = [min(max(step, 0), 2**bits - 1) for step in steps]
    return torch.tensor([(k - zero) * scale for k in kept]).reshape(values.shape)


@torch.no_grad()
def test_a_linear_layer_by_hand():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4))
    layer, (first, second) = model[0], torch.randn(2, 5, 6)
    batches = [(first,), (second,)]
    config = QuantisationConfig(kinds=("linear",))
    ranges = []
    for of in (lambda x: x, layer):
        a, b = of(first), of(second)
        ranges.append([0.9 * float(end(a)) + 0.1 * float(end(b)) for end in (torch.min, torch.max)])
    scale = layer.weight.abs().max() / 127
    weight = (layer.weight / scale).round() * scale
    put_out = F.linear(rounded_by_hand(second, *ranges[0]), weight, layer.bias)
    expected = rounded_by_hand(put_out, *ranges[1])
    with quantise(model, batches, config):
        actual = model(second)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_sixteen_bits_is_attention(causal):
    """Grouped queries, masks and scales are as in the fused kernel."""
    torch.manual_seed(0)
    model = Attention(AttentionConfig(16, 4, kv_heads=2, gate=None)).eval()
    tokens = torch.randn(2, 7, 16)
    mask = torch.rand(2, 1, 7, 7) > 0.3
    mask = mask | torch.eye(7, dtype=torch.bool)
    batch = (
        {"tokens": tokens, "is_causal": True} if causal else {"tokens": tokens, "attn_mask": mask}
    )
    expected = model(**batch)
    config = QuantisationConfig(activation_bits=16, kinds=("attention",))
    with quantise(model, [batch], config) as quantised:
        actual = model(**batch)
        assert list(quantised.sites) == [":attention"]
        names = {"query", "key", "value", "probabilities"}
        assert quantised.sites[":attention"].quantisers.keys() == names
    assert not torch.equal(actual, expected)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("function", [ClippedSoftmax(-0.1), SigmoidAttention(7)], ids=type)
def test_attention_that_is_no_softmax_is_quantised_too(function):
    torch.manual_seed(0)
    model = Attention(AttentionConfig(16, 4), function).eval()
    batch = {"tokens": torch.randn(2, 7, 16), "is_causal": True}
    exact = model(**batch)
    errors = []
    for bits in (4, 8, 16):
        config = QuantisationConfig(activation_bits=bits, kinds=("attention",))
        with quantise(model, [batch], config) as quantised:
            errors.append(float((model(**batch) - exact).norm() / exact.norm()))
            quantisers = quantised.sites["function:attention"].quantisers
            assert all(quantiser.noise.signal > 0 for quantiser in quantisers.values())
    assert 0 < errors[2] < 0.1 * errors[1] < 0.1 * errors[0]
    assert torch.equal(model(**batch), exact)


def test_gates_are_chosen_separately():
    model = build(gpt2)
    probe = probe_of(model)
    gates = retrofit(model, gate_preset("bondarenko"))  # its initial weights are not zero
    exact = run_probe(model, probe)
    with quantise(model, [probe]) as quantised:
        assert not any(site.kind == "gate" for site in quantised.sites.values())
        assert set(quantised.left_out) >= {f"{path}.pellucid_gate" for path in gates.gates}
    kinds = ("linear", "attention", "gate")
    with quantise(model, [probe], QuantisationConfig(kinds=kinds)) as quantised:
        gate_sites = [site for site in quantised.sites.values() if site.kind == "gate"]
        assert len(gate_sites) == len(gates.gates)
        with quantised.only(lambda site: site.kind == "gate"):
            some = relative_distance(exact, run_probe(model, probe))
        with quantised.only(lambda site: False):
            assert all(map(torch.equal, exact, run_probe(model, probe)))
        assert 0 < some < relative_distance(exact, run_probe(model, probe))
    assert all(map(torch.equal, exact, run_probe(model, probe)))


def test_weights_and_activations_apart():
    model = build(bert)
    probe = probe_of(model)
    with quantise(model, [probe]) as quantised:
        site = quantised.sites["encoder.layer.0.output.dense"]
        assert isinstance(site, LayerSite)
        with quantised.only(lambda _: True, weights=False):
            assert site.module.weight is site.exact
            assert site.rounds
        with quantised.only(lambda _: True, activations=False):
            assert site.module.weight is site.rounded
            assert not site.rounds


def test_what_is_excluded_stays_exact():
    model = build(gpt2)
    probe = probe_of(model)
    config = QuantisationConfig(exclude=("*.mlp.*",))
    with quantise(model, [probe], config) as quantised:
        assert quantised.left_out["transformer.h.0.mlp.c_fc"] == "excluded"
        assert quantised.left_out["lm_head"] == "the head"
        assert not any("mlp" in path for path in quantised.sites)
    with quantise(model, [probe], QuantisationConfig(head=True)) as quantised:
        # The head shares its weight with the embedding table, which stays exact.
        assert model.lm_head.weight is not model.transformer.wte.weight
        assert "lm_head" in quantised.sites
    assert model.lm_head.weight is model.transformer.wte.weight


def test_padding_does_not_move_the_ranges():
    model = build(bert)
    ids = torch.randint(1, 50, (2, 8))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    scales = []
    for token in (0, 7):
        batch = {"input_ids": ids.masked_fill(mask == 0, token), "attention_mask": mask}
        with quantise(model, [batch]) as quantised:
            sites = quantised.sites.values()
            scales.append([q.grid.scale for s in sites for q in s.quantisers.values() if q.grid])
    assert torch.equal(torch.stack(scales[0]), torch.stack(scales[1]))


@pytest.mark.parametrize("fault", ["nothing", "no batches", "not finite", "no sdpa", "raises"])
def test_failures_leave_the_model_as_it_was(fault):
    model: nn.Module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    config, batches = QuantisationConfig(kinds=("linear",)), [torch.randn(3, 4)]
    message = {"nothing": "nothing to quantise", "no sdpa": "attn_implementation"}.get(fault, fault)
    match fault:
        case "nothing":
            config = QuantisationConfig(kinds=("gate",))
        case "no batches":
            batches, message = [], "no calibration batches"
        case "not finite":
            batches = [torch.full((3, 4), torch.nan)]
        case "no sdpa":
            config = QuantisationConfig()
        case "raises":
            batches, message = [torch.randn(3, 5)], "shapes"
    model.train()
    before = [m.weight for m in model]
    with pytest.raises((ConfigError, RuntimeError), match=message):
        quantise(model, batches, config)
    assert all(module.weight is weight for module, weight in zip(model, before, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(module.training for module in model.modules())
    assert not torch.overrides._len_torch_function_stack()  # pyright: ignore
