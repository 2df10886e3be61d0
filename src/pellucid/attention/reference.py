"""Attention written out, with the whole map in memory: for tests, for teaching, for small inputs.

Every fast path of this library is held against these lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from pellucid.attention.functional import Mask, causal_mask
from pellucid.attention.gate import Placement

# How far a fast path's forward pass may be from these lines in float64, for inputs of unit
# variance: |difference| ≤ TOLERANCES[dtype] · (1 + |expected|).
TOLERANCES: Mapping[torch.dtype, float] = MappingProxyType(
    {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.5e-2}
)


def reference_attention(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    gate: Tensor | None = None,
    *,
    placement: Placement = "key",
    attn_mask: Mask | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[
    Float[Tensor, "batch heads queries value_dim"], Float[Tensor, "batch heads queries keys"]
]:
    """Compute the output of `value_gated_attention`, and the attention map α that it used.

    Arguments as there; groups of query heads share a key head whenever there are fewer key heads;
    there is no dropout. α is the softmax alone, without the gate: the weight that the values get
    in the end is α_ij g_j key-side and g_i α_ij query-side. A query that may see no key has a row
    of zeros.
    """
    key, value = repeat_heads(key, query.shape[1]), repeat_heads(value, query.shape[1])
    scores = masked_scores(query, key, attn_mask=attn_mask, is_causal=is_causal, scale=scale)
    attention_map = safe_softmax(scores)
    if gate is None:
        return attention_map @ value, attention_map
    gate = gate.unsqueeze(-1) if gate.ndim == 3 else gate
    if placement == "key":
        return attention_map @ (repeat_heads(gate, query.shape[1]) * value), attention_map
    return gate * (attention_map @ value), attention_map


def masked_scores(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "batch heads keys dim"],
    *,
    attn_mask: Mask | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Float[Tensor, "batch heads queries keys"]:
    """Scale · QKᵀ, −∞ where a query may not see a key."""
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = factor * (query @ key.transpose(-2, -1))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    if is_causal:
        allowed = causal_mask(query.shape[-2], key.shape[-2], query.device)
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores


def safe_softmax(scores: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows keys"]:
    """Softmax over the keys; a row of −∞ gives zeros and zero gradients instead of NaN."""
    empty = (scores == -torch.inf).all(dim=-1, keepdim=True)
    return torch.softmax(scores.masked_fill(empty, 0.0), dim=-1).masked_fill(empty, 0.0)


def repeat_heads(
    tensor: Float[Tensor, "batch kv_heads tokens dim"], heads: int
) -> Float[Tensor, "batch heads tokens dim"]:
    """Repeat each key head for its group of query heads; one head is left to broadcasting."""
    kv_heads = tensor.shape[1]
    return tensor if kv_heads in (1, heads) else tensor.repeat_interleave(heads // kv_heads, dim=1)
