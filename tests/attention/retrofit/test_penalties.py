from __future__ import annotations

import torch

from pellucid.attention.retrofit.penalties import (
    drain_penalty,
    ffn_output_penalty,
    mean_or_zero,
    sink_penalty,
)


def values(first: float) -> torch.Tensor:
    """One layer of values of norm 2, but for the first token's."""
    tokens = torch.zeros(2, 3, 6, 4)
    tokens[..., 0] = 2.0
    tokens[:, :, 0] *= first / 2.0
    return tokens


def test_drain_is_one_minus_the_ratio():
    for first, expected in ((0.0, 1.0), (0.5, 0.75), (2.0, 0.0), (5.0, 0.0)):
        torch.testing.assert_close(drain_penalty(values(first)), torch.tensor(expected))


def test_drain_moves_the_first_token_only():
    value = values(0.5).requires_grad_()
    drain_penalty(value).backward()
    assert (value.grad[:, :, 0, 0] < 0).all()
    assert (value.grad[:, :, 1:] == 0).all()


def test_sink_counts_what_is_above_the_threshold():
    attention = torch.full((1, 2, 5, 5), 0.0)
    attention[:, 0, :, 0] = 0.8
    attention[:, 1, :, 0] = 0.1
    torch.testing.assert_close(sink_penalty(attention, 0.3), torch.tensor(0.25))


def test_sink_does_not_count_the_first_query():
    attention = torch.zeros(1, 1, 5, 5)
    attention[:, :, 0, 0] = 1.0
    assert sink_penalty(attention) == 0


def test_one_token_costs_nothing():
    assert drain_penalty(torch.ones(1, 2, 1, 4)) == 0
    assert sink_penalty(torch.ones(1, 2, 1, 1)) == 0


def test_ffn_output():
    torch.testing.assert_close(ffn_output_penalty(torch.tensor([[[3.0, 4.0]]])), torch.tensor(12.5))
    half = torch.full((1, 1, 2), 300.0, dtype=torch.float16)
    assert torch.isfinite(ffn_output_penalty(half))


def test_mean_or_zero():
    like = torch.tensor(3.0)
    assert mean_or_zero([], like) == 0
    assert mean_or_zero([like, like * 3], like) == 6
