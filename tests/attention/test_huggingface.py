from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.attention import PRESETS, GateSpec
from pellucid.attention.huggingface import NAME, attach_gates, detach_gates, register
from pellucid.errors import ConfigError

from ..faults import fault

transformers = pytest.importorskip("transformers")


def llama(**fields):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        **fields,
    )
    return transformers.LlamaForCausalLM(config).eval()


IDS = torch.tensor([[3, 7, 1, 9, 4, 2], [0, 0, 5, 6, 8, 2]])
PADDING = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])


@torch.no_grad()
def logits(model, ids=IDS, **options):
    return model(ids, **options).logits


@pytest.mark.parametrize("padded", [False, True])
def test_without_gates_it_is_sdpa(padded):
    model = llama()
    options = {"attention_mask": PADDING} if padded else {}
    model.set_attn_implementation("sdpa")
    expected = logits(model, **options)
    register()
    model.set_attn_implementation(NAME)
    actual = logits(model, **options)
    shown = PADDING.bool() if padded else torch.ones_like(IDS, dtype=torch.bool)
    torch.testing.assert_close(actual[shown], expected[shown], rtol=1e-5, atol=1e-6)


def test_causality_holds():
    model = llama()
    attach_gates(model, "vga-key")
    changed = IDS.clone()
    changed[:, 4:] = 11
    torch.testing.assert_close(logits(model)[:, :4], logits(model, changed)[:, :4])


@fault("attention", "a missing mask function", "fails loudly")
def test_a_missing_mask_function_is_an_error():
    from pellucid.attention.huggingface import gated_attention_forward

    model = llama()
    transformers.AttentionInterface.register("maskless", gated_attention_forward)
    model.set_attn_implementation("maskless")
    with pytest.raises(ConfigError, match="no mask function"):
        logits(model)


@pytest.mark.parametrize("name", ["vga-key", "vga-query"])
def test_identity_gates_change_nothing_and_come_off_again(name):
    model = llama()
    register()
    model.set_attn_implementation(NAME)
    expected = logits(model)
    spec = PRESETS[name]
    attached = attach_gates(
        model, GateSpec(spec.signal, spec.placement, features=spec.features, gain=2.0)
    )
    assert attached == ["model.layers.0.self_attn", "model.layers.1.self_attn"]
    assert torch.equal(logits(model), expected)
    detach_gates(model)
    assert torch.equal(logits(model), expected)
    assert not any("pellucid" in key for key in model.state_dict())


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("name", ["vga-key", "vga-query", "vga-mixed", "iga", "g1"])
def test_generation_with_a_cache_is_the_whole_pass(name, cache):
    model = llama()
    attach_gates(model, name)
    for key, parameter in model.named_parameters():
        if "pellucid_gate" in key:
            nn.init.normal_(parameter)
    expected = logits(model, attention_mask=PADDING)
    if cache == "dynamic":
        past = transformers.DynamicCache(config=model.config)
    else:
        past = transformers.StaticCache(config=model.config, max_cache_len=10)
    steps = [
        logits(
            model, IDS[:, a:b], attention_mask=PADDING[:, :b], past_key_values=past, use_cache=True
        )
        for a, b in [(0, 3), (3, 4), (4, 5), (5, 6)]
    ]
    shown = PADDING.bool()
    torch.testing.assert_close(torch.cat(steps, 1)[shown], expected[shown], rtol=1e-4, atol=1e-5)


def test_gates_learn():
    model = llama()
    attach_gates(model, "vga-query")
    model(IDS, labels=IDS).loss.backward()
    gates = [p for key, p in model.named_parameters() if "pellucid_gate" in key]
    assert len(gates) == 2
    assert all(gate.grad.abs().max() > 0 for gate in gates)


def test_query_side_gates_are_not_ignored_by_another_implementation():
    model = llama()
    attach_gates(model, "vga-query")
    model.set_attn_implementation("sdpa")
    with pytest.raises(ConfigError, match="would ignore them"):
        logits(model)


def test_models_it_cannot_serve():
    model = llama()
    attach_gates(model, "vga-key")
    with pytest.raises(ConfigError, match="a gate already"):
        attach_gates(model, "vga-key")
    with pytest.raises(ConfigError, match="nothing to put a gate on"):
        attach_gates(nn.Linear(2, 2), "vga-key")
