from __future__ import annotations

import pytest
import torch

from pellucid.attention import LearnedSink, SoftmaxOffByOne, reference_attention
from pellucid.attention.reference import masked_scores

from ..helpers import heads, qkv


def by_log_sum_exp(query, key, value, logit, **options):
    """Output × σ(LSE − s), with the log-sum-exp of the masked scores."""
    output, _ = reference_attention(query, key, value, **options)
    group = query.shape[1] // key.shape[1]
    scores = masked_scores(query, key.repeat_interleave(group, 1), **options)
    return output * torch.sigmoid(scores.logsumexp(-1) - logit[:, None]).unsqueeze(-1)


MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "bool": {"attn_mask": heads(2, 1, 5, 5, seed=8) > -0.3},
    "padding": {"attn_mask": torch.tensor([True, True, True, True, False])[None, None, None]},
    "additive": {"attn_mask": heads(5, 5, seed=8, dtype=torch.float64)},
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_learned_sink_is_output_times_sigmoid(mask, kv_heads, scale):
    inputs = qkv(kv_heads=kv_heads, dtype=torch.float64)
    sink = LearnedSink(4, std=2.0).double()
    options = {**MASKS[mask], "scale": scale}
    actual = sink(*inputs, **options)
    expected = by_log_sum_exp(*inputs, sink.logit, **options)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dim", [6, 16])
def test_heads_may_have_other_widths_than_the_added_features(dim):
    inputs = qkv(dim=dim, dtype=torch.float64)
    sink = LearnedSink(4, std=2.0).double()
    assert dim != sink.features
    expected = by_log_sum_exp(*inputs, sink.logit)
    torch.testing.assert_close(sink(*inputs), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
def test_off_by_one_is_its_case_of_zero(mask):
    inputs = qkv(kv_heads=2, dtype=torch.float64)
    actual = SoftmaxOffByOne()(*inputs, **MASKS[mask])
    expected = by_log_sum_exp(*inputs, torch.zeros(4, dtype=torch.float64), **MASKS[mask])
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    sink = LearnedSink(4, std=0.0).double()
    torch.testing.assert_close(actual, sink(*inputs, **MASKS[mask]), rtol=1e-12, atol=1e-12)


def test_off_by_one_by_its_formula():
    query, key, value = qkv(dtype=torch.float64)
    exponentials = masked_scores(query, key).exp()
    expected = exponentials / (1 + exponentials.sum(-1, keepdim=True)) @ value
    torch.testing.assert_close(SoftmaxOffByOne()(query, key, value), expected)


def test_gradients_of_the_logit():
    inputs = [t.requires_grad_() for t in qkv(kv_heads=2, dtype=torch.float64)]
    sink = LearnedSink(4, std=2.0).double()
    wanted = [*inputs, sink.logit]
    upstream = heads(2, 4, 5, 8, dtype=torch.float64)
    actual = torch.autograd.grad(sink(*inputs), wanted, upstream)
    expected = torch.autograd.grad(by_log_sum_exp(*inputs, sink.logit), wanted, upstream)
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


def test_sink_trains_on_a_fused_kernel():
    """With only the flash kernel allowed, torch would refuse a mask that needs a gradient."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    inputs = [t.requires_grad_() for t in qkv(queries=32, keys=32, dim=16)]
    sink = LearnedSink(4)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        sink(*inputs).sum().backward()
    assert sink.logit.grad.abs().max() > 0
