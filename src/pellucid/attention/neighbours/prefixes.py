"""Learned keys that belong to no token: KV bias and register tokens."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.functional import Mask
from pellucid.attention.neighbours.base import (
    AttentionFunction,
    attend_with_prefix,
    prepend_keys,
)


class KVBias(AttentionFunction):
    """One more key and value per head, learned directly.

    Sun et al. 2024, "Massive Activations in Large Language Models", arXiv:2402.17762, §4.3;
    `add_bias_kv` of `torch.nn.MultiheadAttention`. It can be written into a cache as its first
    entry.

    Args:
        kv_heads: key-value heads.
        head_dim: width of a head's key and value.

    """

    fused = True

    def __init__(self, kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.empty(kv_heads, 1, head_dim))
        self.value = nn.Parameter(torch.empty(kv_heads, 1, head_dim))
        nn.init.normal_(self.key, std=0.02)
        nn.init.normal_(self.value, std=0.02)

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
        """Mix the values; arguments as in `softmax_attention`."""
        key, value = prepend_keys(key, value, self.key, self.value)
        return attend_with_prefix(
            query,
            key,
            value,
            extra=1,
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=dropout_p,
            scale=scale,
        )


class RegisterTokens(AttentionFunction):
    """Learned tokens before the sequence: registers, meta tokens.

    Darcet et al. 2023, "Vision Transformers Need Registers", arXiv:2309.16588. Given to one
    `Attention` layer, they are context that every query of the layer sees, at no position. For a
    whole network, `prepend` them to its tokens and `strip` them from its output.

    Args:
        count: number of tokens.
        dim: width of a token.

    """

    fused = True

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.empty(count, dim))
        nn.init.normal_(self.tokens, std=0.02)

    def forward(
        self,
        query: Float[Tensor, "#batch #heads queries dim"],
        key: Float[Tensor, "#batch #kv_heads extra_keys dim"],
        value: Float[Tensor, "#batch #kv_heads extra_keys value_dim"],
        *,
        attn_mask: Mask | None = None,
        is_causal: bool = False,
        dropout_p: float = 0.0,
        scale: float | None = None,
    ) -> Float[Tensor, "batch heads queries value_dim"]:
        """Mix the values, of which the first are those of the registers."""
        return attend_with_prefix(
            query,
            key,
            value,
            extra=self.tokens.shape[0],
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=dropout_p,
            scale=scale,
        )

    def prefix_tokens(self) -> Float[Tensor, "count dim"]:
        """Return the tokens, for a layer to project."""
        return self.tokens

    def prepend(
        self, tokens: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch count_tokens dim"]:
        """Put the registers before a sequence."""
        return torch.cat((self.tokens.expand(tokens.shape[0], -1, -1), tokens), dim=1)

    def strip(
        self, tokens: Float[Tensor, "batch count_tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Take the registers off again."""
        return tokens[:, self.tokens.shape[0] :]
