from __future__ import annotations

import torch

from pellucid.attention import reference_attention
from pellucid.attention.reference import safe_softmax

from .helpers import heads, qkv


def test_by_hand():
    query = torch.tensor([[[[1.0]]]], dtype=torch.float64)
    key = torch.tensor([[[[0.0], [torch.log(torch.tensor(3.0)).item()]]]], dtype=torch.float64)
    value = torch.tensor([[[[1.0], [2.0]]]], dtype=torch.float64)
    gate = torch.tensor([[[1.0, 0.5]]], dtype=torch.float64)
    output, weights = reference_attention(query, key, value, gate, scale=1.0)
    torch.testing.assert_close(weights.flatten(), torch.tensor([0.25, 0.75], dtype=torch.float64))
    assert abs(output.item() - (0.25 * 1 + 0.75 * 0.5 * 2)) < 1e-7
    query_side, _ = reference_attention(
        query, key, value, gate[..., 1:], placement="query", scale=1.0
    )
    assert abs(query_side.item() - 0.5 * 1.75) < 1e-7


def test_map_sums_to_one():
    _, weights = reference_attention(*qkv(kv_heads=2))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 5))


def test_safe_softmax_of_an_empty_row_and_its_gradient():
    scores = heads(3, 4)
    scores[1] = -torch.inf
    scores.requires_grad_()
    weights = safe_softmax(scores)
    assert (weights[1] == 0).all()
    (weights * heads(3, 4, seed=5)).sum().backward()
    assert (scores.grad[1] == 0).all()
    assert scores.grad.isfinite().all()
