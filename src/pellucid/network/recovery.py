"""Layer recovery: from guided features to light, with two heads on one decoder.

Physics: the heads say how much light to take away, the mixture supplies the rest. In linear light
the transmission is T = M − removed and the reflection is its own image R; where nothing clips and
both heads agree, T + R = M. Light is a head's sigmoid squared: close to the eye's scale, and flat
at zero, so a photo without a reflection comes back unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.blocks import GatedBlock
from pellucid.network.encoder import Pyramid
from pellucid.network.light import to_light


class Layers(NamedTuple):
    """Both layers in linear light.

    The transmission may be slightly negative where too much was taken; callers that show it clip.
    """

    transmission: Float[Tensor, "B 3 H W"]
    reflection: Float[Tensor, "B 3 H W"]


class UpStage(nn.Module):
    """Double the sides, bring in the encoder's level of that size, refine."""

    def __init__(self, source: int, skip: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(source, 4 * channels, 1)
        self.skip = nn.Conv2d(skip, channels, 1)
        self.blocks = nn.Sequential(*(GatedBlock(channels) for _ in range(blocks)))

    def forward(
        self, features: Float[Tensor, "B C h w"], skip: Float[Tensor, "B S h2 w2"]
    ) -> Float[Tensor, "B D h2 w2"]:
        """Return refined features at the skip's size."""
        spread = F.pixel_shuffle(self.spread(features), 2)
        return self.blocks(spread + self.skip(skip))


class LayerHead(nn.Module):
    """The last two convolutions of one layer, at the mixture's own resolution."""

    START = -2.0
    """Bias of the last convolution: before training, sigmoid(START)² = .014 of white."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, width, 3, padding=1)
        self.out = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.out.bias, self.START)  # pyright: ignore[reportArgumentType]

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 3 H W"]:
        """Return light in [0, 1]."""
        return torch.sigmoid(self.out(F.relu(self.mix(features)))).square()


class Recovery(nn.Module):
    """Decoder from stride 8 to the mixture's resolution, and the two heads."""

    FULL = 13
    """Feature channels at the mixture's resolution, where every channel costs the most (with the
    mixture, 16: what CPU convolutions like best)."""

    def __init__(
        self,
        channels: int,
        skips: tuple[int, int],
        widths: tuple[int, int, int],
        blocks: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.join = nn.Conv2d(2 * channels, widths[0], 1)
        self.deep = nn.Sequential(*(GatedBlock(widths[0]) for _ in range(blocks[0])))
        self.up4 = UpStage(widths[0], skips[1], widths[1], blocks[1])
        self.up2 = UpStage(widths[1], skips[0], widths[2], blocks[2])
        self.up1 = nn.Conv2d(widths[2], 4 * self.FULL, 1)
        self.transmission = LayerHead(self.FULL + 3, 16)
        self.reflection = LayerHead(self.FULL + 3, 16)

    def forward(
        self,
        mixture: Float[Tensor, "B 3 H W"],
        pyramid: Pyramid,
        transmission: Float[Tensor, "B C h w"],
        reflection: Float[Tensor, "B C h w"],
    ) -> Layers:
        """Return both layers in linear light from the encoded mixture and both layers' features."""
        features = self.deep(self.join(torch.cat([transmission, reflection], dim=1)))
        features = self.up2(self.up4(features, pyramid[1]), pyramid[0])
        fine = torch.cat([F.pixel_shuffle(self.up1(features), 2), mixture], dim=1)
        light = to_light(mixture)
        return Layers(light - self.transmission(fine), self.reflection(fine))
