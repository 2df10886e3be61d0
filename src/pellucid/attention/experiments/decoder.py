"""A small decoder: learned positions, pre-LN, any attention of this library, ReLU feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pellucid.attention.experiments.methods import Sizes, method
from pellucid.attention.functional import Mask
from pellucid.attention.module import Attention, AttentionConfig


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a decoder.

    Attributes:
        vocabulary: number of tokens.
        length: longest sequence.
        dim: width.
        heads: heads a layer.
        layers: blocks.
        method: name of a method of `METHODS`.

    """

    vocabulary: int
    length: int
    dim: int = 64
    heads: int = 1
    layers: int = 1
    method: str = "vanilla"


class Block(nn.Module):
    """Attention and feed-forward, each on a normalised residual stream."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        chosen = method(config.method)
        sizes = Sizes(config.dim, config.heads, config.length)
        attention = AttentionConfig(config.dim, config.heads, gate=chosen.gate)
        self.norm1 = nn.LayerNorm(config.dim)
        self.attention = Attention(attention, chosen.function(sizes))
        self.norm2 = nn.LayerNorm(config.dim)
        self.ffn = nn.Sequential(
            nn.Linear(config.dim, 4 * config.dim), nn.ReLU(), nn.Linear(4 * config.dim, config.dim)
        )

    def forward(
        self, hidden: Float[Tensor, "batch tokens dim"], attn_mask: Mask | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Run the block; the mask is over the causal one."""
        hidden = hidden + self.attention(self.norm1(hidden), attn_mask=attn_mask, is_causal=True)
        return hidden + self.ffn(self.norm2(hidden))


class Decoder(nn.Module):
    """Predicts each next token."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.positions = nn.Embedding(config.length, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
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


def build(config: DecoderConfig, seed: int) -> Decoder:
    """Make a decoder whose weights depend on the config and the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Decoder(config)
