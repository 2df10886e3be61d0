"""A frozen ImageNet encoder that looks at layers: perceptual distance, and features to embed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.encoder import EfficientNetLite0, Pyramid
from pellucid.network.pretrained import load_imagenet_weights


class Percept(NamedTuple):
    """What the frozen encoder sees in a batch of layers."""

    pyramid: Pyramid
    pooled: Float[Tensor, "B V"]
    """Mean of the two coarsest levels."""


class Perception(nn.Module):
    """EfficientNet-Lite0 as it was pretrained; its weights never change."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        load_imagenet_weights(self.encoder)
        self.requires_grad_(False)
        self.pooled_channels = sum(self.encoder.channels[-2:])

    def forward(self, encoded: Float[Tensor, "B 3 H W"]) -> Percept:
        """Look at sRGB-encoded layers; sides multiples of 32."""
        pyramid = self.encoder(encoded)
        pooled = torch.cat([level.mean(dim=(2, 3)) for level in pyramid[-2:]], dim=1)
        return Percept(pyramid, pooled)


def perceptual_error(output: Pyramid, truth: Pyramid) -> Float[Tensor, ""]:
    """Mean absolute difference of the levels, each already at the same scale."""
    errors = [(a - b).abs().mean() for a, b in zip(output, truth, strict=True)]
    return torch.stack(errors).mean()
