from __future__ import annotations

import math

import pytest
import torch

from pellucid.attention import ClippedSoftmax, ReLUAttention, SigmoidAttention, softmax_attention
from pellucid.attention.reference import masked_scores
from pellucid.errors import ConfigError

from ..helpers import heads, qkv


def scores_of(query, key):
    return query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])


def test_clipped_softmax_without_stretching_is_softmax():
    inputs = qkv(kv_heads=2, dtype=torch.float64)
    expected = softmax_attention(*inputs, is_causal=True, enable_gqa=True)
    actual = ClippedSoftmax(gamma=0.0)(*inputs, is_causal=True)
    torch.testing.assert_close(actual, expected)


def test_clipped_softmax_gives_exact_zeros_and_ones():
    weights = ClippedSoftmax(gamma=-0.1, zeta=1.1).weights(torch.tensor([[0.0, 6.0]]))
    assert weights.tolist() == [[0.0, 1.0]]
    assert ClippedSoftmax(gamma=0.0, zeta=1.0).gamma == 0.0
    for wrong in ({"gamma": 0.1}, {"zeta": 0.9}):
        with pytest.raises(ConfigError):
            ClippedSoftmax(**wrong)


def test_sigmoid_attention():
    query, key, value = qkv(dtype=torch.float64)
    expected = torch.sigmoid(scores_of(query, key) - math.log(5)) @ value
    torch.testing.assert_close(SigmoidAttention(5)(query, key, value), expected)
    assert SigmoidAttention(1).bias == 0.0
    with pytest.raises(ConfigError):
        SigmoidAttention(0)


def test_relu_attention():
    query, key, value = qkv(dtype=torch.float64)
    expected = torch.relu(scores_of(query, key)) @ value / 5
    torch.testing.assert_close(ReLUAttention()(query, key, value), expected)
    causal = ReLUAttention()(query, key, value, is_causal=True)
    alone = ReLUAttention()(query[:, :, :2], key[:, :, :2], value[:, :, :2])
    torch.testing.assert_close(causal[:, :, 1], alone[:, :, 1])
    one_key = torch.relu(scores_of(query, key))[:, :, :1, :1] @ value[:, :, :1]
    torch.testing.assert_close(causal[:, :, :1], one_key)


@pytest.mark.parametrize("function", [ClippedSoftmax(), SigmoidAttention(5), ReLUAttention()])
def test_rows_that_see_nothing_are_zero_forward_and_backward(function):
    tensors = [t.requires_grad_() for t in qkv()]
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2] = False
    output = function(*tensors, attn_mask=mask)
    output.sum().backward()
    # Clipping leaves −γ·0 there: max(γ, 0).
    assert (output[:, :, 2] == 0).all()
    assert all(t.grad.isfinite().all() for t in tensors)


def test_dropout():
    torch.manual_seed(0)
    inputs = qkv()
    assert not torch.equal(
        SigmoidAttention(5)(*inputs, dropout_p=0.5), SigmoidAttention(5)(*inputs)
    )


def test_masked_scores_of_both_kinds():
    query, key, _ = qkv()
    allowed = heads(5, 5, seed=3) > 0
    additive = torch.zeros(5, 5).masked_fill(~allowed, -torch.inf)
    left = masked_scores(query, key, attn_mask=allowed)
    assert torch.equal(left, masked_scores(query, key, attn_mask=additive))
