from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.attention import (
    PRESETS,
    Attention,
    AttentionConfig,
    LearnedSink,
    StaticKVCache,
    value_gated_attention,
)

from ..faults import fault
from .helpers import assert_within, heads, qkv, slow_but


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def layer(name, function=None) -> Attention:
    torch.manual_seed(0)
    module = Attention(AttentionConfig(32, 4, kv_heads=2, gate=name, rope_base=100.0), function)
    if module.gate is not None:
        nn.init.normal_(module.gate.weight)
    return module


def gradients(function, module, x):
    module.zero_grad()
    output = function(x, is_causal=True)
    output.square().sum().backward()
    return output, [p.grad.clone() for p in module.parameters()]


@pytest.mark.parametrize("name", slow_but(PRESETS, {"vga-key", "vga-query", "g1"}))
def test_layer_is_one_graph(name):
    """With the backend that only traces, which is enough to find a graph break."""
    module, x = layer(name), heads(2, 6, 32)
    traced = torch.compile(module, fullgraph=True, backend="aot_eager")
    expected, expected_grads = gradients(module, module, x)
    actual, actual_grads = gradients(traced, module, x)
    assert_within(actual, expected)
    for left, right in zip(actual_grads, expected_grads, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_static_cache_step_is_one_graph_for_all_steps():
    module = layer("vga-query", LearnedSink(4, std=1.0)).eval()
    traced = torch.compile(module, fullgraph=True, backend="eager")
    x = heads(1, 5, 32)
    cache = StaticKVCache(1, 2, 5, 8)
    with torch.no_grad():
        steps = [traced(x[:, :1], is_causal=True, cache=cache)]
        with torch.compiler.set_stance("fail_on_recompile"):
            steps += [traced(x[:, i : i + 1], is_causal=True, cache=cache) for i in range(1, 5)]
        assert_within(torch.cat(steps, dim=1), module(x, is_causal=True))


@pytest.mark.parametrize("placement", ["key", pytest.param("query", marks=pytest.mark.slow)])
@fault("attention", "compiled against eager", "equal within the tolerance of the type")
def test_compiled_function_is_the_fused_path(placement):
    inputs = qkv(queries=16, keys=16, dim=16)
    gate = torch.sigmoid(heads(2, 4, 16))
    compiled = torch.compile(value_gated_attention, fullgraph=True)
    expected = value_gated_attention(*inputs, gate, placement=placement, is_causal=True)
    assert_within(compiled(*inputs, gate, placement=placement, is_causal=True), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vga-key", "vga-query", "g1"])
def test_compiled_layer_with_gradients(name):
    module, x = layer(name), heads(2, 6, 32)
    compiled = torch.compile(module, fullgraph=True)
    expected, expected_grads = gradients(module, module, x)
    actual, actual_grads = gradients(compiled, module, x)
    assert_within(actual, expected, factor=3)
    for left, right in zip(actual_grads, expected_grads, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)
