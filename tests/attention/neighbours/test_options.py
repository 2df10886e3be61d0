"""The options that all attention functions share mean the same for each of them."""

from __future__ import annotations

import pytest
import torch

from pellucid.attention import (
    ClippedSoftmax,
    KVBias,
    LearnedSink,
    RegisterTokens,
    ReLUAttention,
    SigmoidAttention,
    SoftmaxAttention,
    SoftmaxOffByOne,
)

from ..helpers import heads, qkv

FUNCTIONS = {
    "softmax": SoftmaxAttention,
    "off-by-one": SoftmaxOffByOne,
    "sink": lambda: LearnedSink(4, std=2.0),
    "kv-bias": lambda: KVBias(4, 8),
    "registers": lambda: RegisterTokens(2, 8),
    "clipped": lambda: ClippedSoftmax(-0.05, 1.1),
    "sigmoid": lambda: SigmoidAttention(5),
    "relu": ReLUAttention,
}
EXTRA = {"registers": 2}
"""Keys that belong to no token and are part of what the function is given."""

each = pytest.mark.parametrize("name", FUNCTIONS)


def case(name, queries=5):
    torch.manual_seed(0)
    inputs = qkv(queries=queries, keys=5 + EXTRA.get(name, 0), dtype=torch.float64)
    return FUNCTIONS[name]().double(), inputs


@each
def test_scale_is_a_factor_of_the_queries(name):
    function, (query, key, value) = case(name)
    scaled = function(query, key, value, scale=0.7)
    torch.testing.assert_close(scaled, function(query * 0.7 * 8**0.5, key, value))
    assert not torch.allclose(scaled, function(query, key, value))


@each
def test_dropout_drops_only_if_asked(name):
    function, inputs = case(name)
    plain = function(*inputs)
    assert torch.equal(function(*inputs), plain)
    assert not torch.allclose(function(*inputs, dropout_p=0.6), plain)


@each
@pytest.mark.parametrize("queries", [5, 2, 1])
def test_causal_is_the_mask_that_ends_at_the_last_key(name, queries):
    function, inputs = case(name, queries)
    mask = torch.ones(queries, 5, dtype=torch.bool).tril(5 - queries)
    causal = function(*inputs, is_causal=True)
    torch.testing.assert_close(causal, function(*inputs, attn_mask=mask))
    additive = torch.zeros(queries, 5, dtype=torch.float64).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(causal, function(*inputs, attn_mask=additive))
    if queries > 1:
        assert not torch.allclose(causal, function(*inputs))


@each
def test_causality_and_a_mask_both_hold(name):
    function, inputs = case(name)
    mask = heads(5, 5, seed=4) > -0.5
    both = function(*inputs, attn_mask=mask, is_causal=True)
    torch.testing.assert_close(both, function(*inputs, attn_mask=mask.tril()))


@each
def test_a_mask_of_one_column_is_that_of_every_key(name):
    """Rows that see no token get what the keys that belong to no token give them, or nothing."""
    function, inputs = case(name)
    column = torch.tensor([True, False, True, True, False])[:, None]
    narrow = function(*inputs, attn_mask=column)
    torch.testing.assert_close(narrow, function(*inputs, attn_mask=column.expand(5, 5)))
    assert narrow.isfinite().all()


@each
@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (2, 4)])  # also as many as heads
def test_grouped_queries_share_their_keys(name, queries, keys):
    function, (query, key, value) = case(name, queries)
    key, value = key[:, :, -keys:], value[:, :, -keys:]
    if name == "kv-bias":
        function.key.data[1::2] = function.key.data[::2]  # as one head of a pair
        function.value.data[1::2] = function.value.data[::2]
        shared = KVBias(2, 8).double()
        shared.key.data, shared.value.data = function.key.data[::2], function.value.data[::2]
    else:
        shared = function
    key, value = key[:, ::2], value[:, ::2]
    repeated = [tensor.repeat_interleave(2, dim=1) for tensor in (key, value)]
    torch.testing.assert_close(shared(query, key, value), function(query, *repeated))
