"""Attention seen from the keys, without a queries × keys map.

A second pass over queries and keys, beside whichever kernel the model ran: rows of the map are
rebuilt a chunk at a time from the scores and their log-sum-exp, summed over the queries and thrown
away. Memory is linear in the number of tokens, at most `budget` numbers or one row a head.

Axes: batch, heads, queries, keys (with the prefix), tokens (keys without the prefix).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.attention.diagnostics.states import AttentionStates
from pellucid.attention.reference import repeat_heads

# Numbers in one chunk of the scores: 8 MiB in float32.
BUDGET = 1 << 21


@dataclass(frozen=True)
class Columns:
    """Sums over the queries that are real tokens.

    Attributes:
        mass: (batch, heads, keys), Σ_i α_ik.
        gated_mass: likewise, Σ_i α_ik g_i with a query-side head gate g; else `mass`.
        seen: (batch, heads or 1, keys), number of queries that may see the key.
        delta_logit: (batch, heads), s_i0 − mean of s_ij over the other keys j, meaned over the
            queries i; NaN where no query has other keys.
        valid_keys: (batch, keys), some query may see the key.
        valid_queries: (batch, queries), the query is a real token.
        first: (batch,), index of the first valid key that is a token.

    """

    mass: Tensor
    gated_mass: Tensor
    seen: Tensor
    delta_logit: Tensor
    valid_keys: Tensor
    valid_queries: Tensor
    first: Tensor


@dataclass(frozen=True)
class _Rows:
    """A run of queries: what they may see, and what is added to their scores."""

    start: int
    stop: int
    allowed: Tensor | None
    bias: Tensor | None


@torch.no_grad()
def attention_columns(states: AttentionStates, budget: int = BUDGET) -> Columns:
    """Sum the columns of the attention map of one call.

    In self-attention a query is a real token if its own key is one, and a key is one if some
    query may see it: padding is told from the mask. In cross-attention all queries count.
    """
    batch, heads, queries, _ = states.query.shape
    keys = states.key.shape[-2]
    step = max(1, min(queries, budget // max(1, batch * heads * keys)))
    valid_keys = _valid_keys(states, step)
    valid_queries = valid_keys.new_ones(batch, queries)
    if states.self_attention and queries <= keys:
        valid_queries = valid_keys[:, keys - queries :]
    tokens = valid_keys.clone()
    tokens[:, : states.prefix] = False
    sums = _Sums(states, valid_queries, tokens.int().argmax(dim=-1))
    for rows in _chunks(states, step):
        sums.add(rows)
    return Columns(
        mass=sums.mass,
        gated_mass=sums.mass if sums.gate is None else sums.gated_mass,
        seen=sums.seen,
        delta_logit=sums.delta / sums.delta_rows,
        valid_keys=valid_keys,
        valid_queries=valid_queries,
        first=sums.first,
    )


class _Sums:
    """The running sums of one call."""

    def __init__(self, states: AttentionStates, valid_queries: Tensor, first: Tensor) -> None:
        self.states = states
        self.dtype = torch.promote_types(states.query.dtype, torch.float32)
        self.key = repeat_heads(states.key, states.query.shape[1]).to(self.dtype)
        self.valid_queries, self.first = valid_queries, first
        batch, heads, queries, _ = states.query.shape
        keys = states.key.shape[-2]
        self.own = keys - queries if states.self_attention and queries <= keys else None
        gate = states.gate if states.placement == "query" else None
        self.gate = gate if gate is not None and gate.ndim == 3 else None
        self.mass = self.key.new_zeros(batch, heads, keys)
        self.gated_mass = self.key.new_zeros(batch, heads, keys if self.gate is not None else 0)
        self.seen = self.key.new_zeros(batch, 1, keys)
        self.delta = self.key.new_zeros(batch, heads)
        self.delta_rows = self.key.new_zeros(batch, heads)

    def add(self, rows: _Rows) -> None:
        valid = self.valid_queries[:, None, rows.start : rows.stop, None]
        scores = self._scores(rows)
        weights = self._weights(scores).mul_(valid)
        self.mass += weights.sum(dim=-2)
        if self.gate is not None:
            gate = self.gate[:, :, rows.start : rows.stop, None].to(self.dtype)
            self.gated_mass += (weights.mul_(gate)).sum(dim=-2)
        self._count(rows, valid)
        self._add_delta(scores, rows, valid)

    def _weights(self, scores: Tensor) -> Tensor:
        if self.states.weigh is not None:
            return self.states.weigh(scores)
        log_sum = scores.logsumexp(dim=-1, keepdim=True)
        if self.states.sink_logit is not None:
            log_sum = torch.logaddexp(log_sum, self.states.sink_logit.to(scores)[:, None, None])
        # A row without visible keys has −∞ − −∞: it attends to nothing.
        return (scores - log_sum).exp_().nan_to_num_(nan=0.0)

    def _scores(self, rows: _Rows) -> Tensor:
        query = self.states.query[:, :, rows.start : rows.stop].to(self.dtype)
        scores = (query * self.states.scale) @ self.key.mT
        cap = self.states.softcap
        if cap is not None:
            scores = cap * torch.tanh(scores / cap)
        if rows.bias is not None:
            scores = scores + rows.bias
        return scores if rows.allowed is None else scores.masked_fill_(~rows.allowed, -torch.inf)

    def _count(self, rows: _Rows, valid: Tensor) -> None:
        if rows.allowed is None:
            self.seen = self.seen + valid.sum(dim=-2)
        else:
            self.seen = self.seen + (rows.allowed & valid).sum(dim=-2)

    def _add_delta(self, scores: Tensor, rows: _Rows, valid: Tensor) -> None:
        """Add the chunk's Σ_i (s_i0 − mean_j s_ij), without a query's own key and the prefix."""
        first = self.first[:, None, None, None].expand(*scores.shape[:-1], 1)
        to_first = scores.gather(-1, first)
        scores.scatter_(-1, first, -torch.inf)
        scores[..., : self.states.prefix] = -torch.inf
        not_first = torch.ones_like(to_first, dtype=torch.bool)
        if self.own is not None:
            own = torch.arange(rows.start, rows.stop, device=scores.device) + self.own
            own = own[None, None, :, None].expand(*scores.shape[:-1], 1)
            scores.scatter_(-1, own, -torch.inf)
            not_first = own != first
        others = scores > -torch.inf
        count = others.sum(dim=-1, keepdim=True)
        mean = scores.masked_fill_(~others, 0.0).sum(dim=-1, keepdim=True) / count.clamp(min=1)
        use = valid & not_first & (count > 0) & (to_first > -torch.inf)
        self.delta += torch.where(use, to_first - mean, 0.0).sum(dim=(-2, -1))
        self.delta_rows += use.sum(dim=(-2, -1))


def _valid_keys(states: AttentionStates, step: int) -> Tensor:
    keys = states.key.shape[-2]
    batch = states.query.shape[0]
    if not states.masks:
        count = keys
        if states.causal_offset is not None:
            count = min(keys, states.query.shape[-2] + states.causal_offset)
        valid = torch.arange(keys, device=states.key.device) < count
        return valid.expand(batch, keys)
    valid = torch.zeros(batch, keys, dtype=torch.bool, device=states.key.device)
    for rows in _chunks(states, step):
        assert rows.allowed is not None  # there are masks
        valid |= rows.allowed.any(dim=-2).any(dim=1)
    return valid


def _chunks(states: AttentionStates, step: int) -> Iterator[_Rows]:
    queries = states.query.shape[-2]
    for start in range(0, queries, step):
        stop = min(start + step, queries)
        allowed, bias = None, None
        for mask in states.masks:
            seen, added = _mask_rows(mask, start, stop)
            allowed = seen if allowed is None else allowed & seen
            if added is not None:
                bias = added if bias is None else bias + added
        if states.causal_offset is not None:
            last = torch.arange(start, stop, device=states.key.device) + states.causal_offset
            visible = torch.arange(states.key.shape[-2], device=last.device) <= last[:, None]
            allowed = visible[None, None] if allowed is None else allowed & visible
        yield _Rows(start, stop, allowed, bias)


def _mask_rows(mask: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor | None]:
    """Cut (batch, heads, rows, keys) out of a mask: what is seen, and what is added."""
    mask = mask[(None,) * (4 - mask.ndim)]
    mask = mask if mask.shape[-2] == 1 else mask[:, :, start:stop]
    if mask.dtype == torch.bool:
        return mask, None
    # Libraries write "not seen" as −∞ or as the lowest number of the dtype, or half of it.
    return mask > torch.finfo(mask.dtype).min / 4, mask
