"""Layer recovery: from guided features to light, with two heads on one decoder.

Physics: the heads say how much to take away, the mixture supplies the rest. In linear light the
transmission is T = M − removed and the reflection is its own image R; where nothing clips and both
heads agree, T + R = M, but for light that is left on purpose (`network/addition.py`). What a head
says is a sigmoid squared: close to the eye's scale, and flat at zero, so a photo without a
reflection comes back unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.blocks import GatedBlock
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


class LayerHead(nn.Conv2d):
    """Light or values of one layer: four pixels' logits from each place of half resolution."""

    START = -2.0
    """Bias before training: sigmoid(START)² = .014 of white."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 4 * 3, 3, padding=1)
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, self.START)  # pyright: ignore[reportArgumentType]

    def forward(self, input: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 3 H W"]:
        """Return what the layer has in [0, 1] at twice the sides."""
        logits = super().forward(input).float()  # light needs more digits than bfloat16 has
        return torch.sigmoid(F.pixel_shuffle(logits, 2)).square()


class Recovery(nn.Module):
    """Decoder from stride 8 to stride 2, and the two heads at the mixture's resolution.

    What the heads say is taken from the mixture's light, or from its encoded values where
    `encoded`: there a blurred reflection is as smooth as it was, while the light that it adds
    carries the scene's own detail.

    The last stage sees the mixture itself, four pixels to a place: its blocks multiply features
    with real detail at a quarter of the cost of doing so at full resolution.
    """

    def __init__(
        self,
        channels: int,
        skips: tuple[int, int],
        widths: tuple[int, int, int],
        blocks: tuple[int, int, int],
        encoded: bool = False,
    ) -> None:
        super().__init__()
        self.encoded = encoded
        self.join = nn.Conv2d(2 * channels, widths[0], 1)
        self.deep = nn.Sequential(*(GatedBlock(widths[0]) for _ in range(blocks[0])))
        self.up4 = UpStage(widths[0], skips[1], widths[1], blocks[1])
        self.up2 = UpStage(widths[1], skips[0] + 4 * 3, widths[2], blocks[2])
        self.transmission = LayerHead(widths[2])
        self.reflection = LayerHead(widths[2])

    def forward(
        self,
        mixture: Float[Tensor, "B 3 H W"],
        half: Float[Tensor, "B S H2 W2"],
        quarter: Float[Tensor, "B P H4 W4"],
        transmission: Float[Tensor, "B C h w"],
        reflection: Float[Tensor, "B C h w"],
    ) -> Layers:
        """Return both layers in linear light.

        Args:
            mixture: encoded, in [0, 1].
            half: the encoder's level of half resolution.
            quarter: that of quarter resolution.
            transmission: features of the layer behind the glass.
            reflection: features of the mirrored layer.
        """
        features = self.deep(self.join(torch.cat([transmission, reflection], dim=1)))
        detail = torch.cat([half, F.pixel_unshuffle(mixture, 2)], dim=1)
        features = self.up2(self.up4(features, quarter), detail)
        removed, mirrored = self.transmission(features), self.reflection(features)
        if self.encoded:
            return Layers(to_light(mixture - removed), to_light(mirrored))
        return Layers(to_light(mixture) - removed, mirrored)
