"""The interface that softmax attention and its neighbours share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.functional import Mask, softmax_attention

WiderMask = (
    Bool[Tensor, "*#batch #queries extra_keys"] | Float[Tensor, "*#batch #queries extra_keys"]
)


class AttentionFunction(nn.Module, ABC):
    """How queries weigh keys and mix values; `Attention` takes any of them.

    Attributes:
        fused: it runs on the fused kernels behind `scaled_dot_product_attention`, so that no
            queries × keys map is stored.
        cacheable: keys and values can be cached as they are, step by step = the whole pass.

    """

    fused: ClassVar[bool]
    cacheable: ClassVar[bool] = True

    @abstractmethod
    def forward(
        self,
        query: Float[Tensor, "#batch #heads queries dim"],
        key: Float[Tensor, "#batch #kv_heads keys dim"],
        value: Float[Tensor, "#batch #kv_heads keys value_dim"],
        *,
        attn_mask: Mask | None = None,
        is_causal: bool = False,
        dropout_p: float = 0.0,
        scale: float | None = None,
    ) -> Float[Tensor, "batch heads queries value_dim"]:
        """Mix the values; arguments as in `softmax_attention`, grouped queries by head counts."""

    def prefix_tokens(self) -> Float[Tensor, "tokens dim"] | None:
        """Return learned context tokens that come before all others, or None.

        `Attention` projects them, and the keys and values that it then calls this function with
        begin with theirs; its mask does not.
        """
        return None


class SoftmaxAttention(AttentionFunction):
    """Plain softmax attention, "Attention Is All You Need", arXiv:1706.03762, Eq. 1."""

    fused = True

    def forward(
        self,
        query: Float[Tensor, "#batch #heads queries dim"],
        key: Float[Tensor, "#batch #kv_heads keys dim"],
        value: Float[Tensor, "#batch #kv_heads keys value_dim"],
        *,
        attn_mask: Mask | None = None,
        is_causal: bool = False,
        dropout_p: float = 0.0,
        scale: float | None = None,
    ) -> Float[Tensor, "batch heads queries value_dim"]:
        """Mix the values with softmax(scale · QKᵀ + mask)."""
        return softmax_attention(
            query,
            key,
            value,
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=dropout_p,
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )


def attend_with_prefix(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads extra_keys dim"],
    value: Float[Tensor, "#batch #kv_heads extra_keys value_dim"],
    extra: int,
    *,
    attn_mask: Mask | None = None,
    is_causal: bool = False,
    dropout_p: float = 0.0,
    scale: float | None = None,
) -> Float[Tensor, "batch heads queries value_dim"]:
    """Attend to keys of which the first `extra` belong to no token and are seen by every query.

    Arguments otherwise as in `softmax_attention`; `attn_mask` is over the tokens' keys alone.
    """
    keys = key.shape[-2] - extra
    options: dict[str, Any] = {"dropout_p": dropout_p, "scale": scale}
    options["enable_gqa"] = query.shape[1] != key.shape[1]
    if is_causal and attn_mask is None and query.shape[-2] == keys:
        # With as many idle queries as extra keys, causality is torch's own and needs no
        # queries × keys mask.
        idle = F.pad(query, (0, 0, extra, 0))
        return softmax_attention(idle, key, value, is_causal=True, **options)[..., extra:, :]
    mask = prepend_to_mask(attn_mask, extra, keys)
    return softmax_attention(query, key, value, attn_mask=mask, is_causal=is_causal, **options)


def prepend_keys(
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    extra_key: Float[Tensor, "*batch kv_heads extra dim"],
    extra_value: Float[Tensor, "*batch kv_heads extra value_dim"],
) -> tuple[Tensor, Tensor]:
    """Put extra keys and values, the same for every sequence, before the others."""
    return _prepend(key, extra_key), _prepend(value, extra_value)


def _prepend(tensor: Tensor, extra: Tensor) -> Tensor:
    return torch.cat((extra.expand(tensor.shape[0], -1, -1, -1).to(tensor.dtype), tensor), dim=-2)


def prepend_to_mask(mask: Mask | None, extra: int, keys: int) -> WiderMask | None:
    """Let every query see `extra` more keys, which come before the `keys` of the mask."""
    if mask is None:
        return None
    mask = mask.expand(*mask.shape[:-1], keys)
    return F.pad(mask, (extra, 0), value=True if mask.dtype == torch.bool else 0.0)
