from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from torch import nn

from pellucid.attention import GateSpec
from pellucid.attention.retrofit import retrofit
from pellucid.attention.retrofit.parity import compare, default_probe, run_probe
from pellucid.errors import ConfigError

from ...faults import fault
from .models import (
    CAUSAL,
    TORCH,
    TRANSFORMERS,
    albert,
    bert,
    build,
    decoder,
    encoder,
    encoder_layer,
    gpt2,
    llama,
)

PRESETS = ("vga-key", "vga-query", "vga-mixed", "iga", "iga-query", "g1", "g2")
HALF = GateSpec("value", "key")


def outputs(model):
    return run_probe(model, default_probe(model))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("make", TRANSFORMERS + TORCH)
@fault("attention", "a retrofit undone", "outputs bit-identical to those before")
def test_identity_and_undo(make, preset):
    model = build(make)
    before, modules = outputs(model), dict(model.named_modules())
    handle = retrofit(model, preset)

    assert handle.exact
    assert handle.parity.unreached == ()
    if make in TRANSFORMERS:
        assert handle.parity.bit_identical
    assert handle.parity.max_difference < 2e-6
    assert len(handle.gates) == (1 if make in (albert, encoder_layer) else 2)

    with torch.no_grad():
        for gate in handle.gates.values():
            gate.weight.normal_()
    assert compare(before, outputs(model)).max_difference > 1e-5  # so the gates are really there

    handle.undo()
    assert compare(before, outputs(model)).bit_identical
    assert dict(model.named_modules()) == modules


@pytest.mark.parametrize("make", CAUSAL)
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_query_gate_multiplies_what_the_output_projection_sees(make, implementation):
    """Gates of 1/2 on values and on mixed values are the same model; so is W_O / 2."""
    model = build(make)
    model.set_attn_implementation(implementation)
    key = retrofit(model, GateSpec("value", "key"))
    by_key = outputs(model)
    key.undo()
    query = retrofit(model, GateSpec("value", "query", features="all"))
    by_query = outputs(model)
    query.undo()
    assert compare(by_key, by_query).max_difference < 1e-6
    assert compare(by_key, outputs(model)).max_difference > 1e-5


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("preset", ["vga-key", "vga-query", "g1"])
@pytest.mark.parametrize("make", CAUSAL)
def test_generation_under_an_identity_gate(make, preset, cache):
    model = build(make)
    expected = generate(model, cache)
    handle = retrofit(model, preset)
    actual = generate(model, cache)
    assert torch.equal(actual.sequences, expected.sequences)
    for step, expected_step in zip(actual.logits, expected.logits, strict=True):
        assert torch.equal(step, expected_step)
    handle.undo()


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("preset", ["vga-key", "vga-query", "vga-mixed", "g1"])
@pytest.mark.parametrize("make", CAUSAL)
def test_decoding_step_by_step_is_the_whole_pass(make, preset, cache):
    """With gates that differ from token to token, so a wrong row would show."""
    model = build(make)
    handle = retrofit(model, preset)
    with torch.no_grad():
        for gate in handle.gates.values():
            gate.weight.normal_()
    generated = generate(model, cache)
    tokens = generated.sequences[:, :-1]
    with torch.no_grad():
        whole = model(tokens).logits[:, -len(generated.logits) :]
    torch.testing.assert_close(torch.stack(generated.logits, 1), whole, rtol=1e-4, atol=1e-5)


def generate(model, cache):
    prompt = torch.arange(1, 11).reshape(2, 5)
    return model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=6,
        min_new_tokens=6,
        do_sample=False,
        pad_token_id=0,
        cache_implementation=cache,
        output_logits=True,
        return_dict_in_generate=True,
    )


def test_key_gates_go_into_the_cache():
    model = build(llama)
    tokens = torch.arange(1, 6)[None]
    with torch.no_grad():
        plain = model(tokens).past_key_values.layers[0].values
        retrofit(model, HALF)
        gated = model(tokens).past_key_values.layers[0].values
    assert torch.equal(gated, plain / 2)


@fault("attention", "grouped queries in a retrofitted model", "gates act on their own heads")
def test_grouped_queries():
    handle = retrofit(build(llama), "vga-key")
    assert {gate.gated_heads for gate in handle.gates.values()} == {2}
    handle.undo()
    with pytest.raises(ConfigError, match=r"self_attn cannot carry this gate.*features='all'"):
        retrofit(handle.model, GateSpec("value", "query"))
    assert not any(hasattr(module, "pellucid_gate") for module in handle.model.modules())


def test_inexact_starts_are_said_and_measured():
    handle = retrofit(build(bert), HALF)
    assert not handle.exact
    assert "starts at 0.5" in handle.why_not_exact
    assert handle.parity.max_difference > 1e-3
    assert "starts at 0.5" in handle.summary()


def test_the_gates_are_part_of_the_model():
    model = build(gpt2)
    handle = retrofit(model, "vga-key")
    names = [name for name, _ in model.named_parameters() if "pellucid_gate" in name]
    assert len(names) == 2
    model.double()
    assert all(gate.weight.dtype == torch.float64 for gate in handle.gates.values())
    assert outputs(model)


def test_the_fast_path_of_torch_does_not_bypass_the_gate():
    model = build(encoder)
    tokens = torch.randn(2, 6, 32)
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    with torch.no_grad():
        plain = model(tokens, src_key_padding_mask=padding)
        handle = retrofit(model, "vga-key")
        identity = model(tokens, src_key_padding_mask=padding)
        for gate in handle.gates.values():
            gate.weight.normal_()
        gated = model(tokens, src_key_padding_mask=padding)
        handle.undo()
        undone = model(tokens, src_key_padding_mask=padding)
    torch.testing.assert_close(identity[~padding], plain[~padding], rtol=1e-5, atol=2e-6)
    assert (gated - identity).abs().max() > 1e-3
    assert torch.equal(undone, plain)


def test_undo_keeps_weights_that_were_trained():
    model = build(encoder_layer)
    handle = retrofit(model, "vga-key")
    with torch.no_grad():
        model.self_attn.attention.v_proj.weight.mul_(2)
    expected = outputs(model)
    handle.undo()
    assert compare(expected, outputs(model)).max_difference < 2e-6


def test_cross_attention_gets_no_gate():
    handle = retrofit(build(decoder), "vga-query")
    assert handle.left_out == ["layers.0.multihead_attn", "layers.1.multihead_attn"]


class CrossModel(nn.Module):
    """Cross-attention that no name gives away."""

    def __init__(self):
        super().__init__()
        self.head_dim = 8
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.add_module(name, nn.Linear(32, 32))

    def forward(self, x, y):
        heads = [t.unflatten(-1, (4, 8)).transpose(1, 2) for t in (self.q_proj(x), self.k_proj(y))]
        value = self.v_proj(y).unflatten(-1, (4, 8)).transpose(1, 2)
        mixed = nn.functional.scaled_dot_product_attention(*heads, value)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


def test_a_query_gate_on_foreign_values_is_refused():
    model, x, y = CrossModel(), torch.randn(1, 5, 32), torch.randn(1, 5, 32)
    with pytest.raises(ConfigError, match="no value of its own"):
        retrofit(model, "vga-query", probe=(x, y))
    assert not hasattr(model, "pellucid_gate")
    for preset in ("vga-key", "vga-mixed", "g1"):
        handle = retrofit(model, preset, probe=(x, y))
        assert handle.parity.bit_identical
        handle.undo()


def test_selected_layers_only():
    handle = retrofit(build(llama), "vga-key", select=lambda name: ".1." in name)
    assert list(handle.gates) == ["model.layers.1.self_attn"]
    assert handle.left_out == ["model.layers.0.self_attn"]


def test_a_model_without_a_known_probe_is_not_measured():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False)[0]

    handle = retrofit(Own(), "vga-key")
    assert handle.parity is None
    assert "not measured" in handle.summary()
    handle.undo()
    handle = retrofit(handle.model, "vga-key", probe=(torch.randn(2, 5, 32),))
    assert handle.parity.max_difference < 2e-6


def test_a_probe_that_reaches_no_gate():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4)

        def forward(self, x):
            return x

    model = Idle()
    with pytest.raises(ConfigError, match="ran through none of the gates"):
        retrofit(model, "vga-key", probe=(torch.randn(2, 5, 32),))
    assert type(model.attention) is nn.MultiheadAttention


def test_a_model_that_answers_differently_each_time_fails_parity():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False)[0] + torch.randn(1)

    with pytest.raises(ConfigError, match="changed the outputs"):
        retrofit(Noisy(), "vga-key", probe=(torch.randn(2, 5, 32),))


@pytest.mark.parametrize("model", [nn.Linear(4, 4), nn.MultiheadAttention(8, 2)])
@fault("attention", "models that cannot carry a gate", "refused with the reason")
def test_unsupported_models(model):
    with pytest.raises(ConfigError, match=r"Supported are .*BERT|from_torch"):
        retrofit(model, "vga-key")


def test_unsupported_transformers_model():
    transformers = pytest.importorskip("transformers")
    config = transformers.BloomConfig(vocab_size=50, hidden_size=32, n_layer=1, n_head=4)
    with pytest.raises(ConfigError, match=r"BloomModel has no .*Supported are .*LLaMA"):
        retrofit(transformers.BloomModel(config), "vga-key")


def test_twice_is_refused():
    model = build(bert)
    retrofit(model, "vga-key")
    with pytest.raises(ConfigError, match="has a gate already"):
        retrofit(model, "vga-key")


def test_no_layer_selected():
    with pytest.raises(
        ConfigError, match=r"No layer was selected; there are transformer\.h\.0\.attn"
    ):
        retrofit(build(gpt2), "vga-key", select=lambda name: False)
