"""What calls itself fused stores no queries × keys map, nor a mask of that size."""

from __future__ import annotations

import pytest
from torch.profiler import ProfilerActivity, profile

from pellucid.attention import (
    Attention,
    AttentionConfig,
    ClippedSoftmax,
    KVBias,
    LearnedSink,
    RegisterTokens,
    SoftmaxOffByOne,
)
from pellucid.attention.benchmark import _peak_of_allocations

from ..helpers import heads

TOKENS = 2048
FUNCTIONS = {
    "softmax": lambda: None,
    "off-by-one": SoftmaxOffByOne,
    "sink": lambda: LearnedSink(2),
    "kv-bias": lambda: KVBias(2, 8),
    "registers": lambda: RegisterTokens(3, 16),
    "clipped": ClippedSoftmax,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_memory_of_a_causal_layer(name):
    function = FUNCTIONS[name]()
    layer = Attention(AttentionConfig(16, 2, gate="vga-key"), function)
    x = heads(1, TOKENS, 16).requires_grad_()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        layer(x, is_causal=True).sum().backward()
    one_mask = TOKENS * TOKENS  # bytes of a bool mask, a quarter of a float map
    assert (_peak_of_allocations(record) < one_mask) == layer.function.fused
