from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention import (
    PRESETS,
    Attention,
    AttentionConfig,
    AttentionFunction,
    ClippedSoftmax,
    KVBias,
    KVCache,
    LearnedSink,
    MultiheadAttention,
    RegisterTokens,
    ReLUAttention,
    SigmoidAttention,
    SoftmaxAttention,
    SoftmaxOffByOne,
    gate_preset,
    reference_attention,
    split_heads,
)
from pellucid.attention.diagnostics import (
    AttentionStates,
    InspectionError,
    Inspector,
    Unmeasurable,
    inspect,
)
from pellucid.attention.diagnostics.sources.base import find_output_weight
from pellucid.attention.neighbours.maps import MapAttention
from pellucid.attention.retrofit import retrofit
from tests.attention.diagnostics.models import EAGER_ONLY, FAMILIES, timm_vit, transformers_model

from ...faults import fault


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_agree_with_their_own_maps(family: str, implementation: str) -> None:
    if family in EAGER_ONLY and implementation == "sdpa":
        pytest.skip("transformers has this attention in eager only")
    model, batch = transformers_model(family, implementation)
    report = inspect(model, batch)
    eager, _ = transformers_model(family, "eager")
    with torch.no_grad():
        maps = eager(**batch, output_attentions=True).attentions
    assert [layer.calls for layer in report.layers] == [1] * len(maps)
    assert report.unmeasured == {}
    mask = batch.get("attention_mask", torch.ones(2, maps[0].shape[-1]))
    for layer, attention in zip(report.layers, maps, strict=True):
        expected = _first_attention(attention, mask)
        np.testing.assert_allclose(
            layer.metrics["first_attention"].mean, expected, rtol=1e-5, atol=1e-6
        )
        assert "contribution" not in layer.missing
    assert len(report.activations) == 2


def _first_attention(attention: Tensor, mask: Tensor) -> Tensor:
    """Mean over the queries that may see the first token, from a whole map, as (heads,)."""
    samples = []
    for sample, real in zip(attention, mask.bool(), strict=True):
        column = sample[:, real][:, :, 0]
        seen = (sample[:, real] > 0)[:, :, 0]
        samples.append(column.sum(-1) / seen.sum(-1))
    return torch.stack(samples).mean(dim=0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "opt", "llama", "vit"])
def test_output_weight_is_what_the_output_projection_applies(family: str) -> None:
    model, _ = transformers_model(family, "sdpa")
    names = ("o_proj", "out_proj", "c_proj", "output.dense")
    layer, parent, path = {
        "bert": ("encoder.layer.0.attention.self", "encoder.layer.0.attention", names[3]),
        "gpt2": ("h.0.attn", "h.0", names[2]),
        "opt": ("decoder.layers.0.self_attn", "decoder.layers.0", names[1]),
        "llama": ("layers.0.self_attn", "layers.0", names[0]),
        "vit": ("layers.0.attention", "layers.0", names[0]),
    }[family]
    around = parent if family == "bert" else layer
    projection = model.get_submodule(f"{around}.{path}")
    module = model.get_submodule(layer)
    weight = find_output_weight(module, model.get_submodule(parent), 4, 4)
    assert weight is not None
    mixed = torch.randn(3, 16)
    expected = projection(mixed) - projection(torch.zeros(1, 16))
    actual = torch.einsum("nhd,hdw->nw", mixed.unflatten(-1, (4, 4)), weight)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_gates_after_attention_are_seen() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextAttention

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    config = transformers.Qwen3NextConfig(**sizes, attn_implementation="sdpa")
    config._attn_implementation = "sdpa"
    layer = Qwen3NextAttention(config, 0).eval()
    tokens = torch.randn(2, 5, 16)
    rotary = (torch.ones(2, 5, 8), torch.zeros(2, 5, 8))
    batch = {"hidden_states": tokens, "position_embeddings": rotary, "attention_mask": None}
    found = inspect(layer, batch).layers[0]
    logits = layer.q_proj(tokens).unflatten(-1, (4, 16))[..., 8:]
    expected = logits.sigmoid().mean(dim=(0, 1, 3)).detach()
    np.testing.assert_allclose(found.metrics["gate_mean"].mean, expected, rtol=1e-5)
    assert found.gates == 4 * 8
    assert "element gate" in found.missing["contribution"]


def test_left_padding_is_left_out() -> None:
    model, batch = transformers_model("llama", "sdpa")
    ids = batch["input_ids"][1:, :6]
    alone = inspect(model, {"input_ids": ids})
    padded = inspect(
        model,
        {
            "input_ids": F.pad(ids, (3, 0), value=1),
            "attention_mask": F.pad(torch.ones_like(ids), (3, 0)),
            "position_ids": torch.tensor([[0, 0, 0, 0, 1, 2, 3, 4, 5]]),
        },
    )
    for name, estimate in alone.summary.items():
        assert padded.summary[name].mean == pytest.approx(estimate.mean, rel=1e-4, nan_ok=True), (
            name
        )


def test_decoding_with_a_cache_sees_all_keys() -> None:
    model, batch = transformers_model("llama", "sdpa")
    ids = batch["input_ids"][:1]
    with torch.no_grad():
        cache = model(ids[:, :-1], use_cache=True).past_key_values
        with Inspector(model) as inspector:
            model(ids[:, -1:], past_key_values=cache)
        eager, _ = transformers_model("llama", "eager")
        last = eager(ids, output_attentions=True).attentions[0][0, :, -1, 0]
    layer = inspector.report().layers[0]
    assert layer.tokens == (9, 9)
    np.testing.assert_allclose(layer.metrics["first_attention"].mean, last, rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "opt", "vit", "bert", "gpt2"])
def test_gates_on_transformers_are_seen(family: str) -> None:
    model, batch = transformers_model(family, "sdpa")
    plain = inspect(model, batch)
    retrofit(model, gate_preset("vga-key"))
    report = inspect(model, batch)
    layer = report.layers[0]
    assert layer.metrics["gate_mean"].mean == pytest.approx([0.5] * layer.kv_heads)
    # Value norms are those before the gate.
    assert layer.norm_profile[0] == pytest.approx(plain.layers[0].norm_profile[0], rel=1e-5)


@pytest.mark.parametrize("fused", [True, False])
def test_timm_shape(fused: bool) -> None:
    tokens = torch.randn(3, 10, 16)
    report = inspect(timm_vit(fused), tokens)
    assert [layer.path for layer in report.layers] == ["0.attn", "1.attn"]
    assert [block.path for block in report.activations] == ["0", "1"]
    other = inspect(timm_vit(not fused), tokens)
    for name, estimate in report.summary.items():
        assert other.summary[name].mean == pytest.approx(estimate.mean, rel=1e-5, nan_ok=True), name
    assert report.layers[0].missing.keys() == {"gate"}


@pytest.mark.parametrize("batch_first", [True, False])
def test_torch_encoder(batch_first: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=batch_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first).eval()
    tokens = torch.randn(2, 7, 16)
    padding = torch.zeros(2, 7, dtype=torch.bool)
    padding[1, 4:] = True
    arranged = tokens if batch_first else tokens.transpose(0, 1)
    report = inspect(model, {"src": arranged, "src_key_padding_mask": padding})
    first = model.layers[0].self_attn
    states = first(arranged, arranged, arranged, padding, average_attn_weights=False)
    expected = _first_attention(states[1], ~padding)
    np.testing.assert_allclose(
        report.layers[0].metrics["first_attention"].mean, expected.detach(), rtol=1e-5
    )
    assert report.layers[0].tokens == (4, 7)
    assert len(report.activations) == 2
    causal = nn.Transformer.generate_square_subsequent_mask(7)
    masked = inspect(model, {"src": arranged, "mask": causal, "is_causal": True})
    assert masked.layers[0].mass_profile[0][0] > report.layers[0].mass_profile[0][0]


@pytest.mark.parametrize("option", ["add_bias_kv", "add_zero_attn", "kdim"])
def test_torch_multihead_options(option: str) -> None:
    torch.manual_seed(0)
    options = {"kdim": 6, "vdim": 5} if option == "kdim" else {option: True}
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **options)  # pyright: ignore
    query = torch.randn(2, 4, 8)
    key, value = (
        (query, query) if option != "kdim" else (torch.randn(2, 6, 6), torch.randn(2, 6, 5))
    )
    report = inspect(layer, (query, key, value))
    weights = layer(query, key, value, average_attn_weights=False)[1].detach()
    expected = weights[..., 0].mean(dim=(0, 2))
    np.testing.assert_allclose(
        report.layers[0].metrics["first_attention"].mean, expected, rtol=1e-5
    )
    if option == "add_bias_kv":
        np.testing.assert_allclose(
            report.layers[0].metrics["prefix_attention"].mean,
            weights[..., -1].mean(dim=(0, 2)),
            rtol=1e-5,
        )


@pytest.mark.parametrize("training", [False, True], ids=["inference", "lean"])
@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_own_attention(preset: str | None, training: bool) -> None:
    torch.manual_seed(0)
    layer = Attention(AttentionConfig(dim=16, heads=4, rope_base=10.0, gate=preset))
    tokens = torch.randn(2, 6, 16)
    with torch.set_grad_enabled(training), Inspector(layer) as inspector:
        layer(tokens, is_causal=True)
    found = inspector.report().layers[0]
    query, key = layer._queries_and_keys(tokens, tokens, None)
    value = split_heads(layer.v_proj(tokens), 4)
    _, weights = reference_attention(query, key, value, is_causal=True)
    expected = weights[..., 0].mean(dim=(0, 2)).detach()
    np.testing.assert_allclose(found.metrics["first_attention"].mean, expected, rtol=1e-5)
    norms = value.norm(dim=-1).mean(dim=0).detach()
    np.testing.assert_allclose(found.norm_profile, norms, rtol=1e-5)
    assert ("gate_mean" in found.metrics) == (preset is not None)
    if preset is not None and PRESETS[preset].weight_std == 0:
        assert found.metrics["gate_mean"].mean == pytest.approx(
            [PRESETS[preset].gain * (0.5 if PRESETS[preset].bias is None else 0.25)] * 4
        )


def test_own_neighbours_share_their_mass() -> None:
    """What the tokens get and what the extra key or logit gets add up to one."""
    torch.manual_seed(0)
    tokens = torch.randn(2, 6, 16)
    config = AttentionConfig(dim=16, heads=4, gate="vga-key")
    off_by_one = inspect(Attention(config, SoftmaxOffByOne()), tokens).layers[0]
    assert max(np.sum(off_by_one.mass_profile, axis=1)) < 0.95
    sink = inspect(Attention(config, LearnedSink(4)), tokens).layers[0]
    assert max(np.sum(sink.mass_profile, axis=1)) < 0.95
    for function in (KVBias(4, 4), RegisterTokens(2, 16)):
        layer = inspect(Attention(config, function), tokens).layers[0]
        total = np.sum(layer.mass_profile, axis=1) + layer.metrics["prefix_attention"].mean
        np.testing.assert_allclose(total, 1.0, rtol=1e-5)
        assert layer.tokens == (6, 6)


def test_own_attention_with_a_cache_and_cross() -> None:
    layer = Attention(AttentionConfig(dim=16, heads=4, gate="vga-key")).eval()
    cache = KVCache()
    with torch.no_grad(), Inspector(layer) as inspector:
        layer(torch.randn(1, 5, 16), is_causal=True, cache=cache)
        layer(torch.randn(1, 1, 16), is_causal=True, cache=cache)
    assert inspector.report().layers[0].tokens == (5, 6)
    report = inspect(layer, (torch.randn(1, 3, 16), torch.randn(1, 7, 16)))
    assert report.layers[0].tokens == (7, 7)


def test_own_multihead_stand_in() -> None:
    layer = MultiheadAttention(16, 4, batch_first=True)
    tokens = torch.randn(1, 5, 16)
    report = inspect(layer, (tokens, tokens, tokens))
    assert [layer.path for layer in report.layers] == ["attention"]


@pytest.mark.parametrize(
    "function", [ClippedSoftmax(-0.1), SigmoidAttention(5), ReLUAttention()], ids=type
)
def test_functions_that_are_no_softmax(function: MapAttention) -> None:
    torch.manual_seed(0)
    layer = Attention(AttentionConfig(dim=16, heads=4), function)
    maps: list[Tensor] = []
    hook = function.probabilities.register_forward_hook(lambda _, __, out: maps.append(out))
    tokens = torch.randn(1, 5, 16)
    report = inspect(layer, {"tokens": tokens, "is_causal": True})
    hook.remove()
    expected = maps[0][0, :, :, 0].mean(dim=-1)
    actual = torch.tensor(report.layers[0].metrics["first_attention"].mean)
    torch.testing.assert_close(actual.float(), expected.detach(), rtol=1e-4, atol=1e-6)


def test_an_unknown_function_is_refused_with_the_reason() -> None:
    class Other(SoftmaxAttention):
        pass

    class Unknown(AttentionFunction):
        fused = True

        def forward(self, query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:  # type: ignore[override]
            return SoftmaxAttention()(query, key, value, **options)

    config = AttentionConfig(dim=16, heads=4)
    assert inspect(Attention(config, Other()), torch.randn(1, 5, 16)).layers
    with pytest.raises(InspectionError, match="Unknown is unknown"):
        inspect(Attention(config, Unknown()), torch.randn(1, 5, 16))


class Loops(nn.Module):
    """A module that tells its own states."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, tokens: Tensor) -> Tensor:
        heads = tokens[:, None]
        return (heads @ heads.mT).softmax(dim=-1) @ heads * self.weight

    def attention_states(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> AttentionStates | Unmeasurable:
        heads = args[0][:, None]
        if heads.shape[-2] == 1:
            return Unmeasurable("one token only")
        return AttentionStates(heads, heads, heads, scale=1.0, gate=self.weight.expand(1, 1, 3))


def test_protocol() -> None:
    tokens = torch.randn(2, 3, 4)
    report = inspect(nn.Sequential(Loops()), tokens)
    expected = (tokens @ tokens.mT).softmax(dim=-1)[..., 0].mean().item()
    assert report.layers[0].metrics["first_attention"].mean == pytest.approx([expected])
    assert report.layers[0].metrics["gate_high"].mean == [1.0]
    assert "contribution" in report.layers[0].missing
    with pytest.raises(InspectionError, match="one token only"):
        inspect(Loops(), tokens[:, :1])


class FusedUser(nn.Module):
    """Calls the fused kernel directly, in a shape of its own."""

    def forward(self, tokens: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(
            query=tokens, key=tokens, value=tokens, is_causal=True, scale=1 / math.e
        )


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 3, 5, 4), (2, 2, 3, 5, 4)])
def test_any_user_of_the_fused_kernel(shape: tuple[int, ...]) -> None:
    tokens = torch.randn(shape)
    report = inspect(FusedUser(), tokens)
    flat = tokens[:, None] if tokens.ndim == 3 else tokens.reshape(-1, 3, 5, 4)
    _, weights = reference_attention(flat, flat, flat, is_causal=True, scale=1 / math.e)
    expected = weights[..., 0].mean(dim=(0, 2))
    np.testing.assert_allclose(
        report.layers[0].metrics["first_attention"].mean, expected, rtol=1e-5
    )


class HomeMadeAttention(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return (tokens @ tokens.mT).softmax(dim=-1) @ tokens


@fault("attention", "attention that cannot be measured", "named, with the reason")
def test_unreadable_attention_is_named() -> None:
    with pytest.raises(InspectionError, match="HomeMadeAttention ran, but"):
        inspect(nn.Sequential(HomeMadeAttention()), torch.randn(1, 3, 4))
    mixed = nn.Sequential(HomeMadeAttention(), Attention(AttentionConfig(dim=4, heads=1)))
    report = inspect(mixed, torch.randn(1, 3, 4))
    assert "HomeMadeAttention ran" in report.unmeasured["0"]


def test_model_without_attention() -> None:
    with pytest.raises(InspectionError, match="No attention could be measured in Linear"):
        inspect(nn.Linear(2, 2), torch.randn(1, 2))
