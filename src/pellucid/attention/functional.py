"""Gated attention on top of `torch.nn.functional.scaled_dot_product_attention`.

Axes: batch, heads (query heads), kv_heads, queries, keys, dim (of one head).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from pellucid.attention.gate import Placement
from pellucid.errors import ConfigError

Mask = Bool[Tensor, "*#batch #queries #keys"] | Float[Tensor, "*#batch #queries #keys"]

# torch 2.6 cannot tell exporting from compiling.
_is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def value_gated_attention(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    gate: Tensor,
    *,
    placement: Placement = "key",
    attn_mask: Mask | None = None,
    is_causal: bool = False,
    dropout_p: float = 0.0,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "batch heads queries value_dim"]:
    """Softmax attention whose values, or whose outputs, are multiplied by a gate.

    With α = softmax(scale · QKᵀ + mask): key-side z_i = Σ_j α_ij g_j V_j (arXiv:2510.09017, §3.2,
    Eq. 6), query-side z_i = g_i Σ_j α_ij V_j (App. B). Both run on whichever fused kernel
    `scaled_dot_product_attention` picks; key-side costs one multiplication of the values.

    Args:
        query: batch and heads may be 1 and are then broadcast, here and in `key` and `value`.
        key: see `query`.
        value: see `query`.
        gate: key-side (batch, kv_heads, keys), query-side (batch, heads, queries); element gates
            have a trailing value_dim. Batch and heads may be 1. Any real number is allowed.
        placement: `"key"` or `"query"`.
        attn_mask: True where a query may see a key, or a float to add to the scores.
        is_causal: a query sees no later key. See `softmax_attention` for how unequal numbers
            of queries and keys are aligned.
        dropout_p: probability of dropping an attention weight; pass 0 outside training.
        scale: factor of the scores; None: 1/√dim.
        enable_gqa: `heads` is a multiple of `kv_heads` and groups of query heads share a key head.

    Returns:
        The mixed values. A query that may see no key gets zeros, and sends back zero gradients.

    Raises:
        ConfigError: the gate does not fit the tensor that it multiplies.

    """
    if placement == "key":
        value = apply_gate(value, gate, "value")
    elif placement != "query":
        raise ConfigError(f"placement must be 'key' or 'query'; got {placement!r}.")
    output = softmax_attention(
        query,
        key,
        value,
        attn_mask=attn_mask,
        is_causal=is_causal,
        dropout_p=dropout_p,
        scale=scale,
        enable_gqa=enable_gqa,
    )
    return apply_gate(output, gate, "output") if placement == "query" else output


def softmax_attention(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    *,
    attn_mask: Mask | None = None,
    is_causal: bool = False,
    dropout_p: float = 0.0,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "batch heads queries value_dim"]:
    """`scaled_dot_product_attention` with causality aligned at the last key.

    `is_causal` lets query i see the keys j ≤ i + keys − queries: the last query sees every key,
    which is what decoding with a KV cache means. torch's own flag aligns at the first key; the two
    agree when there are as many queries as keys. A mask given beside `is_causal` restricts it
    further.
    """
    queries, keys = query.shape[-2], key.shape[-2]
    if is_causal and (attn_mask is not None or queries != keys):
        causal = None if queries == 1 else causal_mask(queries, keys, query.device)
        attn_mask = combine_masks(attn_mask, causal)
        is_causal = False
    output = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attn_mask,
        dropout_p=dropout_p,
        is_causal=is_causal,
        scale=scale,
        enable_gqa=enable_gqa,
    )
    # torch's kernels give zeros where a query sees no key; its ONNX translation does not.
    if attn_mask is not None and _is_exporting():
        return output.masked_fill(~_sees_any_key(attn_mask), 0.0)
    return output


def apply_gate(tensor: Float[Tensor, "batch heads tokens dim"], gate: Tensor, name: str) -> Tensor:
    """Multiply a (batch, heads, tokens, dim) tensor by head gates or element gates.

    Raises:
        ConfigError: the gate's shape does not fit; the message calls the tensor `name`.

    """
    factor = gate.unsqueeze(-1) if gate.ndim == tensor.ndim - 1 else gate
    if not _fits(factor, tensor):
        raise ConfigError(
            f"A gate of shape {tuple(gate.shape)} does not fit the {name} of shape "
            f"{tuple(tensor.shape)}: it must be (batch, heads, tokens) or, per element, "
            "(batch, heads, tokens, dim), with the same heads and tokens as the "
            f"{name}. With grouped queries, a key-side gate has one entry per key-value head."
        )
    return tensor * factor.to(tensor.dtype)


def causal_mask(queries: int, keys: int, device: torch.device) -> Bool[Tensor, "queries keys"]:
    """Allow key j to query i where j ≤ i + keys − queries."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def combine_masks(
    mask: Mask | None, allowed: Bool[Tensor, "*batch queries keys"] | None
) -> Mask | None:
    """Make the mask that holds both: `mask` is bool or additive, `allowed` is bool."""
    if mask is None or allowed is None:
        return allowed if mask is None else mask
    if mask.dtype == torch.bool:
        return mask & allowed
    return mask.masked_fill(~allowed, -torch.inf)


def _fits(factor: Tensor, tensor: Tensor) -> bool:
    """Whether the product has the tensor's heads, tokens and dim (its batch may grow from 1)."""
    if factor.ndim != tensor.ndim:
        return False
    batch_fits = factor.shape[0] == tensor.shape[0] or 1 in (factor.shape[0], tensor.shape[0])
    heads_fit = factor.shape[1] == tensor.shape[1] or 1 in (factor.shape[1], tensor.shape[1])
    tokens_fit = factor.shape[-2] == tensor.shape[-2]
    return batch_fits and heads_fit and tokens_fit and factor.shape[-1] in (1, tensor.shape[-1])


def _sees_any_key(mask: Mask) -> Bool[Tensor, "*batch queries 1"]:
    seen = mask if mask.dtype == torch.bool else mask != -torch.inf
    return seen.any(dim=-1, keepdim=True)
