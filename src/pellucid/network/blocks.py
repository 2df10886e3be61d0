"""Building blocks shared by the stages of the network.

Axes: B batch, C channels, H height, W width, N positions or words.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a (B, C, H, W) map, at every place on its own."""

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Normalise each place's channel vector; shape and range of the map are kept."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LocallyEnhancedFeedForward(nn.Module):
    """LeFF: expand, mix neighbours with a depthwise convolution, contract, add.

    Source: Uformer (Wang et al., CVPR 2022, §3.2), the block that the language-guided separation
    paper (arXiv:2402.11874) puts behind its hypercolumn.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = channels * expansion
        self.norm = ChannelNorm(channels)
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.local = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.contract = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Return the features with their local context added."""
        hidden = F.gelu(self.expand(self.norm(features)))
        return features + self.contract(F.gelu(self.local(hidden)))


class GatedBlock(nn.Module):
    """Restoration block without activation functions: two halves of a map multiply each other.

    Source: NAFNet (Chen et al., ECCV 2022, §3), without its channel attention: the mean over a
    whole photo is not the mean over a training crop, and global context comes from AGAM instead.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial_norm = ChannelNorm(channels)
        self.spatial_in = nn.Conv2d(channels, 2 * channels, 1)
        self.spatial = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.spatial_out = nn.Conv2d(channels, channels, 1)
        self.channel_norm = ChannelNorm(channels)
        self.channel_in = nn.Conv2d(channels, 2 * channels, 1)
        self.channel_out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Return the refined features, same shape."""
        left, right = self.spatial(self.spatial_in(self.spatial_norm(features))).chunk(2, dim=1)
        features = features + self.spatial_out(left * right)
        left, right = self.channel_in(self.channel_norm(features)).chunk(2, dim=1)
        return features + self.channel_out(left * right)
