"""A small pre-LN Transformer with learned positions and any attention of this library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.experiments.methods import Sizes, method
from pellucid.attention.functional import Mask
from pellucid.attention.module import Attention, AttentionConfig

Style = Literal["gpt", "llama"]


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes and choices.

    Attributes:
        vocabulary: number of tokens.
        length: longest sequence.
        dim: width.
        heads: heads a layer.
        layers: blocks.
        method: name of a method of `METHODS`.
        causal: a token sees no later one.
        style: `"gpt"`: LayerNorm, biases, ReLU between two layers; `"llama"`: RMSNorm, no biases,
            SwiGLU.

    """

    vocabulary: int
    length: int
    dim: int = 64
    heads: int = 1
    layers: int = 1
    method: str = "vanilla"
    causal: bool = True
    style: Style = "gpt"


class SwiGLU(nn.Module):
    """silu(x W) · (x V), then a third layer; Shazeer 2020, arXiv:2002.05202."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, 2 * (8 * dim // 3), bias=False)
        self.outer = nn.Linear(8 * dim // 3, dim, bias=False)

    def forward(
        self, hidden: Float[Tensor, "batch tokens dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Run it."""
        gate, value = self.inner(hidden).chunk(2, dim=-1)
        return self.outer(F.silu(gate) * value)


class Block(nn.Module):
    """Attention and feed-forward, each on a normalised residual stream."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        chosen = method(config.method)
        sizes = Sizes(config.dim, config.heads, config.length)
        bias = config.style == "gpt"
        attention = AttentionConfig(config.dim, config.heads, bias=bias, gate=chosen.gate)
        self.causal = config.causal
        self.norm1 = _norm(config)
        self.attention = Attention(attention, chosen.function(sizes))
        self.norm2 = _norm(config)
        self.ffn = _feed_forward(config)

    def forward(
        self, hidden: Float[Tensor, "batch tokens dim"], attn_mask: Mask | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Run the block; the mask is over the causal one, if there is one."""
        normed = self.norm1(hidden)
        hidden = hidden + self.attention(normed, attn_mask=attn_mask, is_causal=self.causal)
        return hidden + self.ffn(self.norm2(hidden))


class Transformer(nn.Module):
    """Says a token at every place: the next one, or the one that was hidden there."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.positions = nn.Embedding(config.length, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = _norm(config)
        self.head = nn.Linear(config.dim, config.vocabulary, bias=False)

    def attention(self, block: int = 0) -> Attention:
        """Return the attention layer of a block."""
        found = self.blocks[block]
        assert isinstance(found, Block)
        return found.attention

    def forward(
        self, tokens: Int[Tensor, "batch tokens"], attn_mask: Mask | None = None
    ) -> Float[Tensor, "batch tokens vocabulary"]:
        """Compute logits; `attn_mask` is added to the scores of every layer."""
        hidden = self.embedding(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            hidden = block(hidden, attn_mask)
        return self.head(self.norm(hidden))


def build(config: TransformerConfig, seed: int) -> Transformer:
    """Make a Transformer whose weights depend on the config and the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Transformer(config)


def _norm(config: TransformerConfig) -> nn.Module:
    return nn.RMSNorm(config.dim) if config.style == "llama" else nn.LayerNorm(config.dim)


def _feed_forward(config: TransformerConfig) -> nn.Module:
    if config.style == "llama":
        return SwiGLU(config.dim)
    return nn.Sequential(
        nn.Linear(config.dim, 4 * config.dim), nn.ReLU(), nn.Linear(4 * config.dim, config.dim)
    )
