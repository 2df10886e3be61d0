"""Other functions of the scores than softmax; these store the queries × keys map."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.functional import Mask
from pellucid.attention.neighbours.base import AttentionFunction
from pellucid.attention.reference import masked_scores, repeat_heads, safe_softmax
from pellucid.errors import ConfigError


class MapAttention(AttentionFunction):
    """Attention whose weights are some function of the masked scores.

    Attributes:
        probabilities: passes the weights on as they are, for hooks to see or change them.

    """

    fused = False

    def __init__(self) -> None:
        super().__init__()
        self.probabilities = nn.Identity()

    @abstractmethod
    def weights(
        self, scores: Float[Tensor, "batch heads queries keys"]
    ) -> Float[Tensor, "batch heads queries keys"]:
        """Turn scores, −∞ where masked, into weights, 0 where masked."""

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
        key, value = repeat_heads(key, query.shape[1]), repeat_heads(value, query.shape[1])
        scores = masked_scores(query, key, attn_mask=attn_mask, is_causal=is_causal, scale=scale)
        return F.dropout(self.probabilities(self.weights(scores)), dropout_p) @ value


class ClippedSoftmax(MapAttention):
    """clip((ζ − γ) · softmax(x) + γ, 0, 1): exact zeros without large scores.

    Bondarenko et al. 2023, "Quantizable Transformers", arXiv:2306.12929, Eq. 4. The paper takes
    γ = −α/T for T tokens, α from 2 to 4 for BERT or 12 for OPT, and ζ = 1: only γ < 0 matters.

    Args:
        gamma: γ ≤ 0.
        zeta: ζ ≥ 1.

    """

    def __init__(self, gamma: float = -0.025, zeta: float = 1.0) -> None:
        super().__init__()
        if gamma > 0 or zeta < 1:
            raise ConfigError(f"Clipping needs gamma ≤ 0 and zeta ≥ 1; got {gamma} and {zeta}.")
        self.gamma = gamma
        self.zeta = zeta

    def weights(
        self, scores: Float[Tensor, "batch heads queries keys"]
    ) -> Float[Tensor, "batch heads queries keys"]:
        """Stretch the softmax and clip it."""
        stretched = (self.zeta - self.gamma) * safe_softmax(scores) + self.gamma
        return stretched.clamp(0.0, 1.0)


class SigmoidAttention(MapAttention):
    """σ(x + b): each key is weighed by itself, no key has to take what is left over.

    Ramapuram et al. 2024, "Theory, Analysis, and Best Practices for Sigmoid Self-Attention",
    arXiv:2409.04431, with b = −log n for sequences of n tokens.

    Args:
        length: the n of the bias, usually the length of the training sequences.

    """

    def __init__(self, length: int) -> None:
        super().__init__()
        if length < 1:
            raise ConfigError(f"length must be at least 1; got {length}.")
        self.bias = -math.log(length)

    def weights(
        self, scores: Float[Tensor, "batch heads queries keys"]
    ) -> Float[Tensor, "batch heads queries keys"]:
        """Weigh each key by itself."""
        return torch.sigmoid(scores + self.bias)


class ReLUAttention(MapAttention):
    """relu(x) / n, with n the number of keys that the query may see.

    Wortsman et al. 2023, "Replacing softmax with ReLU in Vision Transformers", arXiv:2309.08586,
    which divides by the sequence length; counting the visible keys is the same without a mask, and
    keeps decoding step by step equal to the whole pass with a causal one.
    """

    def weights(
        self, scores: Float[Tensor, "batch heads queries keys"]
    ) -> Float[Tensor, "batch heads queries keys"]:
        """Cut negative scores and divide by the number of visible keys."""
        visible = (scores != -torch.inf).sum(dim=-1, keepdim=True).clamp(min=1)
        return torch.relu(scores) / visible
