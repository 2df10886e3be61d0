from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pellucid.attention import (
    PRESETS,
    Attention,
    AttentionConfig,
    AttentionFunction,
    ClippedSoftmax,
    GateSpec,
    KVBias,
    KVCache,
    LearnedSink,
    RegisterTokens,
    ReLUAttention,
    SigmoidAttention,
    SoftmaxOffByOne,
    StaticKVCache,
    merge_heads,
    reference_attention,
    split_heads,
)
from pellucid.errors import ConfigError

from ..faults import fault
from .helpers import OTHER_DEVICES, heads

DIM, HEADS = 32, 4


def functions(kv_heads: int = HEADS) -> dict[str, AttentionFunction | None]:
    torch.manual_seed(1)
    return {
        "softmax": None,
        "off-by-one": SoftmaxOffByOne(),
        "sink": LearnedSink(HEADS, std=1.0),
        "kv-bias": KVBias(kv_heads, DIM // HEADS),
        "registers": RegisterTokens(3, DIM),
        "clipped": ClippedSoftmax(-0.1),
        "sigmoid": SigmoidAttention(6),
        "relu": ReLUAttention(),
    }


def layer(gate=None, function=None, **fields) -> Attention:
    """A layer in float64 whose gate does something."""
    torch.manual_seed(0)
    module = Attention(AttentionConfig(DIM, HEADS, gate=gate, **fields), function).double()
    if module.gate is not None:
        nn.init.normal_(module.gate.weight)
    return module


def tokens(batch=2, length=6, dim=DIM, seed=5):
    return heads(batch, length, dim, seed=seed, dtype=torch.float64)


def test_plain_layer_is_textbook_attention():
    module, x = layer(), tokens()
    q, k, v = (split_heads(p(x), HEADS) for p in (module.q_proj, module.k_proj, module.v_proj))
    mixed = F.scaled_dot_product_attention(q, k, v)
    assert torch.equal(module(x), module.out_proj(merge_heads(mixed)))


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("name", PRESETS)
def test_gated_layer_is_the_reference(name, grad):
    module, x = layer(name, kv_heads=2), tokens()
    spec = PRESETS[name]
    with torch.set_grad_enabled(grad):
        q = split_heads(module.q_proj(x), HEADS)
        k, v = (split_heads(p(x), 2) for p in (module.k_proj, module.v_proj))
        mixed, _ = reference_attention(q, k, v, is_causal=True)
        signal = {"value": merge_heads(v), "input": x, "mixed": merge_heads(mixed)}[spec.signal]
        gate = module.gate(signal)
        expected, _ = reference_attention(q, k, v, gate, placement=spec.placement, is_causal=True)
        expected = module.out_proj(merge_heads(expected))
        torch.testing.assert_close(module(x, is_causal=True), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["vga-key", "vga-query"])
@fault("attention", "gate forced to 1, layer", "equals the plain layer, bit for bit")
def test_gate_forced_to_one_changes_no_bit(name):
    plain, gated = layer(), layer(GateSpec(*name_fields(name), gain=2.0))
    gated.load_state_dict(plain.state_dict(), strict=False)
    nn.init.zeros_(gated.gate.weight)
    assert torch.equal(gated(tokens()), plain(tokens()))


def name_fields(name):
    spec = PRESETS[name]
    return spec.signal, spec.placement, spec.granularity, spec.features


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("rope", [None, 100.0])
@pytest.mark.parametrize("name", [None, *PRESETS])
@fault("attention", "cache, step by step", "equals the whole pass")
def test_step_by_step_is_the_whole_pass(name, rope, static, grad):
    module, x = layer(name, kv_heads=2, rope_base=rope), tokens()
    with torch.set_grad_enabled(grad):
        check_steps(module, x, static)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("name", functions())
def test_step_by_step_is_the_whole_pass_for_every_neighbour(name, static):
    module = layer("vga-key", functions(kv_heads=2)[name], kv_heads=2, rope_base=100.0)
    with torch.no_grad():
        check_steps(module, tokens(), static)


def check_steps(module: Attention, x, static: bool) -> None:
    whole = module(x, is_causal=True)
    cache = StaticKVCache(2, 2, 9, DIM // HEADS, dtype=torch.float64) if static else KVCache()
    parts = x.split([3, 1, 2], dim=1)
    steps = torch.cat([module(part, is_causal=True, cache=cache) for part in parts], dim=1)
    torch.testing.assert_close(steps, whole, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("static", [False, True])
def test_several_tokens_not_causal_see_each_other_through_a_cache(static):
    module, x = layer("vga-key", kv_heads=2), tokens()
    cache = StaticKVCache(2, 2, 9, DIM // HEADS, dtype=torch.float64) if static else KVCache()
    with torch.no_grad():
        module(x[:, :3], cache=cache)
        torch.testing.assert_close(module(x[:, 3:], cache=cache), module(x)[:, 3:])


def test_key_side_cache_holds_gated_values():
    module, x = layer("vga-key"), tokens()
    cache = KVCache()
    with torch.no_grad():
        module(x, is_causal=True, cache=cache)
        value = module.v_proj(x)
        expected = module.gate(value).unsqueeze(-1) * split_heads(value, HEADS)
    torch.testing.assert_close(cache.value, expected)


@pytest.mark.parametrize("name", ["vga-key", "vga-mixed", "iga", "iga-query", "bondarenko", "g2"])
def test_cross_attention(name):
    module = layer(name, context_dim=20)
    context = tokens(length=9, dim=20)
    output = module(tokens(), context)
    assert output.shape == (2, 6, DIM)
    # An order of the context tokens means nothing without positions.
    torch.testing.assert_close(module(tokens(), context.flip(1)), output)


def test_values_may_come_from_other_tokens_than_keys():
    module = layer("iga", context_dim=20, value_dim=12)
    output = module(tokens(), tokens(length=9, dim=20), values=tokens(length=9, dim=12))
    assert output.shape == (2, 6, DIM)


def test_query_side_from_values_does_not_exist_in_cross_attention():
    with pytest.raises(ConfigError, match="vga-mixed"):
        layer("vga-query", context_dim=20)
    module = layer("vga-query")
    with pytest.raises(ConfigError, match="vga-mixed"):
        module(tokens(), tokens(length=9))


def test_cache_in_cross_attention_is_an_error():
    with pytest.raises(ConfigError, match="self-attention"):
        layer()(tokens(), tokens(length=9), cache=KVCache())


def test_padding_changes_nothing():
    module, x = layer("vga-query"), tokens(batch=1)
    padded = torch.cat([x, tokens(batch=1, length=2, seed=8)], dim=1)
    mask = torch.tensor([True] * 6 + [False] * 2).expand(1, 8)
    torch.testing.assert_close(module(padded, attn_mask=mask)[:, :6], module(x))


@pytest.mark.parametrize("name", [None, *PRESETS])
def test_every_parameter_learns(name):
    module = layer(name)
    module(tokens()).square().sum().backward()
    for path, parameter in module.named_parameters():
        assert parameter.grad is not None, path
        # The softmax does not see a shift of all scores of a query.
        assert path == "k_proj.bias" or parameter.grad.abs().max() > 0, path


def test_dropout_only_in_training():
    module, x = layer("vga-key", dropout=0.5), tokens()
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_autocast():
    module = layer("vga-key").float()
    with torch.autocast("cpu", torch.bfloat16):
        output = module(tokens().float())
    assert output.dtype == torch.bfloat16
    output.sum().backward()


@pytest.mark.parametrize("device", OTHER_DEVICES)
@pytest.mark.parametrize("name", ["vga-key", "vga-query"])
def test_devices_agree(device, name):
    module = layer(name).float()
    expected = module(tokens().float(), is_causal=True)
    actual = module.to(device)(tokens().float().to(device), is_causal=True).cpu()
    torch.testing.assert_close(actual, expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 30, "heads": 4}, "cannot be split"),
        ({"dim": 32, "heads": 0}, "cannot be split"),
        ({"dim": 32, "heads": 4, "kv_heads": 3}, "cannot share"),
        ({"dim": 32, "heads": 4, "kv_heads": 0}, "cannot share"),
        ({"dim": 12, "heads": 4, "rope_base": 100.0}, "even head_dim"),
        ({"dim": 32, "heads": 4, "dropout": 1.0}, "dropout"),
        ({"dim": 32, "heads": 4, "dropout": -0.1}, "dropout"),
        ({"dim": 32, "heads": 4, "gate": "none"}, "no gate preset"),
    ],
)
def test_wrong_sizes_are_errors(fields, message):
    with pytest.raises(ConfigError, match=message):
        Attention(AttentionConfig(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"dim": 8, "heads": 1},
        {"dim": 8, "heads": 4, "kv_heads": 1},
        {"dim": 30, "heads": 4, "head_dim": 5},
        {"dim": 8, "heads": 4, "rope_base": 100.0},
    ],
)
def test_the_least_that_is_allowed(fields):
    module = Attention(AttentionConfig(**fields))
    x = heads(2, 3, fields["dim"])
    assert module(x).shape == x.shape
    assert module.out_proj.bias is not None
    assert module.gate is None
    assert torch.equal(module.train()(x), module.eval()(x))  # no dropout
