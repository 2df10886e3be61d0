from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.attention import GateSpec, MultiheadAttention, SoftmaxOffByOne
from pellucid.errors import ConfigError

from .helpers import heads

DIM, HEADS = 16, 4


def pair(**options) -> tuple[nn.MultiheadAttention, MultiheadAttention]:
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(DIM, HEADS, dtype=torch.float64, **options)
    if theirs.in_proj_bias is not None:
        nn.init.normal_(theirs.in_proj_bias)
    return theirs, MultiheadAttention.from_torch(theirs, gate=None)


def tokens(*shape, seed=0):
    return heads(*shape, seed=seed, dtype=torch.float64)


def compare(theirs, ours, *args, **options):
    for expected, actual in zip(theirs(*args, **options), ours(*args, **options), strict=True):
        if expected is None:
            assert actual is None
        else:
            torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"need_weights": False}, {"average_attn_weights": False}])
def test_self_attention_as_torch(batch_first, bias, options):
    x = tokens(2, 5, DIM)
    compare(*pair(batch_first=batch_first, bias=bias), x, x, x, **options)


@pytest.mark.parametrize("additive", [False, True])
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("per_head", [False, True])
def test_masks_as_torch(additive, padding, per_head):
    x = tokens(2, 5, DIM)
    hidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
    if per_head:
        hidden = (tokens(2 * HEADS, 5, 5, seed=3) > 0) & ~torch.eye(5, dtype=torch.bool)
    key_padding = torch.zeros(2, 5, dtype=torch.bool)
    key_padding[1, 4] = True
    if additive:
        hidden = torch.zeros(hidden.shape, dtype=x.dtype).masked_fill(hidden, -torch.inf)
        key_padding = torch.zeros(2, 5, dtype=x.dtype).masked_fill(key_padding, -torch.inf)
    options = {"key_padding_mask": key_padding} if padding else {}
    rows = slice(0, 4) if padding else slice(None)
    theirs, ours = pair(batch_first=True)
    expected, _ = theirs(x, x, x, attn_mask=hidden, **options)
    actual, _ = ours(x, x, x, attn_mask=hidden, **options)
    torch.testing.assert_close(actual[:, rows], expected[:, rows], rtol=1e-10, atol=1e-10)


def test_mixed_kinds_of_masks():
    x = tokens(2, 5, DIM)
    _, ours = pair(batch_first=True)
    hidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
    padding = torch.tensor([[False] * 5, [False] * 4 + [True]])
    expected, _ = ours(x, x, x, key_padding_mask=padding, attn_mask=hidden)
    additive = torch.zeros(2, 5, dtype=x.dtype).masked_fill(padding, -torch.inf)
    actual, _ = ours(x, x, x, key_padding_mask=additive, attn_mask=hidden)
    torch.testing.assert_close(actual, expected)


def test_cross_attention_of_other_widths_as_torch():
    theirs, ours = pair(kdim=10, vdim=6, batch_first=True)
    compare(theirs, ours, tokens(2, 5, DIM), tokens(2, 7, 10), tokens(2, 7, 6))


def test_unbatched_as_torch():
    theirs, ours = pair()
    x = tokens(5, DIM)
    compare(theirs, ours, x, x, x, key_padding_mask=torch.tensor([False] * 4 + [True]))


def test_is_causal_alone():
    x = tokens(2, 5, DIM)
    _, ours = pair(batch_first=True)
    hidden = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected, _ = ours(x, x, x, attn_mask=hidden)
    assert torch.equal(ours(x, x, x, is_causal=True)[0], expected)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("gate", ["vga-key", "vga-query"])
def test_in_a_transformer_encoder_layer(gate, training):
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(DIM, HEADS, 32, 0.0, batch_first=True, dtype=torch.float64)
    x = tokens(2, 5, DIM)
    padding = torch.tensor([[False] * 5, [False] * 4 + [True]])
    block.train(training)
    expected = block(x, src_key_padding_mask=padding)
    spec = GateSpec(**{**GATES[gate], "gain": 2.0})
    block.self_attn = MultiheadAttention.from_torch(block.self_attn, gate=spec)
    with torch.set_grad_enabled(training):
        actual = block(x, src_key_padding_mask=padding)
    torch.testing.assert_close(actual[0], expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(actual[1, :4], expected[1, :4], rtol=1e-10, atol=1e-10)


GATES = {
    "vga-key": {"signal": "value", "placement": "key"},
    "vga-query": {"signal": "value", "placement": "query", "features": "all"},
}


def test_query_gate_knows_self_attention_in_both_layouts():
    for batch_first in (True, False):
        module = MultiheadAttention(DIM, HEADS, batch_first=batch_first, gate="vga-query")
        x = heads(2, 5, DIM)
        module(x, x, x)
        with pytest.raises(ConfigError, match="vga-mixed"):
            module(x, x, heads(2, 5, DIM, seed=4))


def test_add_zero_attn_is_off_by_one():
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True, add_zero_attn=True)
    ours = MultiheadAttention(DIM, HEADS, batch_first=True, gate=None, function=SoftmaxOffByOne())
    ours._load_projections(theirs)
    x = heads(2, 5, DIM)
    expected = theirs(x, x, x, need_weights=False)[0]
    torch.testing.assert_close(ours(x, x, x, need_weights=False)[0], expected)
    with pytest.raises(ConfigError, match="need_weights=False"):
        ours(x, x, x)
    with pytest.raises(ConfigError, match="SoftmaxOffByOne"):
        MultiheadAttention.from_torch(theirs)
