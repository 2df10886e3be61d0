"""From the encoder's pyramid to one feature map F_M (paper §3: hypercolumn → 1×1 + GELU → LeFF)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.blocks import LocallyEnhancedFeedForward
from pellucid.network.encoder import Pyramid

LEVEL = 2
"""The pyramid's level whose stride, 8 pixels, is that of F_M (the paper does not print one); finer
ones are averaged."""


class Hypercolumn(nn.Module):
    """All five levels at every place, at one width."""

    def __init__(self, pyramid_channels: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(sum(pyramid_channels), channels, 1)
        self.feed_forward = LocallyEnhancedFeedForward(channels)

    def forward(self, pyramid: Pyramid) -> Float[Tensor, "B C h w"]:
        """Return F_M of shape (B, channels, H/8, W/8)."""
        return self.merge(stack(pyramid))

    def merge(self, stacked: Float[Tensor, "B P h w"]) -> Float[Tensor, "B C h w"]:
        """Bring the stacked levels to one width."""
        return self.feed_forward(F.gelu(self.fuse(stacked)))


def stack(pyramid: Pyramid) -> Float[Tensor, "B P h w"]:
    """Bring all levels to stride 8 and put them on top of one another."""
    height, width = pyramid[LEVEL].shape[-2:]
    levels = [
        F.avg_pool2d(level, 2 ** (LEVEL - index))
        if index < LEVEL
        else F.interpolate(level, (height, width), mode="bilinear", align_corners=False)
        for index, level in enumerate(pyramid)
    ]
    return torch.cat(levels, dim=1)
