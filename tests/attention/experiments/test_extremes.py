from __future__ import annotations

import pytest
import torch

from pellucid.attention.experiments.extremes import extremes
from pellucid.attention.experiments.objectives import Example
from pellucid.attention.experiments.source_text import MASK
from pellucid.attention.experiments.transformer import TransformerConfig, build


@torch.no_grad()
def test_a_planted_extreme_at_the_first_token_is_found():
    model = build(TransformerConfig(9, 6, dim=16, heads=2, layers=2, style="llama"), 0)
    tokens = torch.tensor([[0, 1, 2, 3, 4, 5], [0, 5, 4, 3, 2, 1]])
    examples = [Example(row[None], row[None], row[None] > 0) for row in tokens]
    before = extremes(model, examples)
    assert before["peak_first"] < 10
    model.embedding.weight[0, 3] += 500.0
    after = extremes(model, examples)
    assert after["peak_first"] == pytest.approx(500, abs=20)
    assert after["peak_other"] == pytest.approx(before["peak_other"], rel=0.5)
    assert after["inf_norm"] == pytest.approx(after["peak_first"])
    assert after["kurtosis"] > 5 * before["kurtosis"]
    assert not any(block._forward_hooks for block in model.blocks)


@torch.no_grad()
def test_other_tokens_do_not_count_as_the_first():
    model = build(TransformerConfig(9, 6, dim=16, heads=2), 0)
    row = torch.tensor([[0, 1, 2, 3, 4]])
    model.embedding.weight[3, 3] += 500.0
    figures = extremes(model, [Example(row, row, row > 0)])
    assert figures["inf_norm"] > 400
    assert max(figures["peak_first"], figures["peak_other"]) < 20
    assert "peak_mask" not in figures


@torch.no_grad()
def test_hidden_tokens_have_a_peak_of_their_own():
    model = build(TransformerConfig(MASK + 1, 6, dim=16, heads=2, causal=False), 0)
    row = torch.tensor([[0, 1, 2, MASK, MASK]])
    model.embedding.weight[MASK, 3] += 500.0
    figures = extremes(model, [Example(row, row, row == MASK)] * 2)
    assert figures["peak_mask"] == pytest.approx(500, abs=20)
    assert figures["peak_first"] < 20
