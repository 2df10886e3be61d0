"""Softmax with somewhere else to go: off-by-one and the learned sink logit.

Both add a term to the softmax's denominator, which is the same as one more key with a zero value,
and the same as multiplying the output of plain attention by a gate per query:

    learned sink = output · σ(LSE_i − s),    off-by-one = output · σ(LSE_i), its case s = 0,

where LSE_i is the log of the sum over j of exp(score_ij). The extra key is what is computed here:
it needs no log-sum-exp from the kernel, and gradients reach s on every fused kernel.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.functional import Mask
from pellucid.attention.neighbours.base import AttentionFunction, attend_with_prefix


class SoftmaxOffByOne(AttentionFunction):
    """exp(x_j) / (1 + Σ_k exp(x_k)): a query can attend to nothing.

    Evan Miller, "Attention Is Off By One", 2023. It is what `add_zero_attn` of
    `torch.nn.MultiheadAttention` computes: one more key of zeros, with a value of zeros.
    """

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
        """Mix the values; arguments as in `softmax_attention`."""
        return attend_with_prefix(
            query,
            F.pad(key, (0, 0, 1, 0)),
            F.pad(value, (0, 0, 1, 0)),
            extra=1,
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=dropout_p,
            scale=scale,
        )


class LearnedSink(AttentionFunction):
    """exp(x_j) / (exp(s) + Σ_k exp(x_k)) with a learned logit s per query head.

    As in gpt-oss (OpenAI 2025, arXiv:2508.10925). The logit is carried by extra features of the
    queries and of the sink's key, not by a mask: a mask that needs a gradient would keep torch
    from using a fused kernel.

    Args:
        heads: query heads.
        std: standard deviation of the initial logits, 0 for off-by-one.

    """

    fused = True
    # Fused kernels want head widths that are multiples of 8, so one feature becomes eight.
    features = 8

    def __init__(self, heads: int, std: float = 0.02) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.empty(heads))
        nn.init.normal_(self.logit, std=std)

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
        factor = query.shape[-1] ** -0.5 if scale is None else scale
        output = attend_with_prefix(
            self._with_logit(query, factor),
            _with_sink_key(key, self.features),
            F.pad(value, (0, self.features, 1, 0)),
            extra=1,
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=dropout_p,
            scale=factor,
        )
        return output[..., : -self.features]

    def _with_logit(self, query: Tensor, scale: float) -> Tensor:
        batch, _, queries, _ = query.shape
        logit = (self.logit / scale).to(query.dtype)[:, None, None].expand(batch, -1, queries, 1)
        return torch.cat((query, F.pad(logit, (0, self.features - 1))), dim=-1)


def _with_sink_key(key: Tensor, features: int) -> Tensor:
    """Put a key before the others that meets only the queries' first extra feature."""
    padded = F.pad(key, (0, features, 1, 0))
    marker = torch.zeros(padded.shape[-2:], dtype=key.dtype, device=key.device)
    marker[0, key.shape[-1]] = 1.0
    return padded + marker
