"""AGAM, adaptive global aggregation: gather what the whole photo shows, and give it to every place.

The paper (§3) names the module and its purpose, "gathers global information of the visual
features"; its equations are not public. Our design, in attention's terms: K learned queries pool
the map into K global tokens G (gather), then every place queries G (distribute). Both are linear in
the number of places. Ablation: docs/lab-notes.md.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.gate import merge_heads
from pellucid.attention.module import split_heads
from pellucid.network.blocks import ChannelNorm


class GlobalAggregation(nn.Module):
    """AGAM with K global tokens."""

    def __init__(self, channels: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = ChannelNorm(channels)
        self.queries = nn.Parameter(torch.randn(tokens, channels) * 0.02)
        self.gather = nn.Linear(channels, 2 * channels)
        self.token_norm = nn.LayerNorm(channels)
        self.ask = nn.Linear(channels, channels)
        self.distribute = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(
        self, features: Float[Tensor, "B C h w"]
    ) -> tuple[Float[Tensor, "B C h w"], Float[Tensor, "B K C"]]:
        """Return the features with global context added, and the global tokens G."""
        places = self.norm(features).flatten(2).transpose(1, 2)
        queries = self.queries.expand(len(features), -1, -1)
        tokens = self.token_norm(self._attend(queries, self.gather(places)))
        context = self.out(self._attend(self.ask(places), self.distribute(tokens)))
        return features + context.transpose(1, 2).unflatten(2, features.shape[2:]), tokens

    def _attend(
        self, queries: Float[Tensor, "B Q C"], key_value: Float[Tensor, "B N C2"]
    ) -> Float[Tensor, "B Q C"]:
        key, value = key_value.chunk(2, dim=-1)
        query, key, value = (split_heads(part, self.heads) for part in (queries, key, value))
        return merge_heads(F.scaled_dot_product_attention(query, key, value))
