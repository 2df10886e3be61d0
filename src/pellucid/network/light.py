"""Light and its sRGB encoding, in torch.

Everything physical (adding layers, removing a reflection) happens in *linear light*; everything a
person or a loss looks at is *encoded*. Both have white at 1.0. Source: IEC 61966-2-1.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def to_light(encoded: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Decode sRGB values in [0, 1] to linear light in [0, 1]."""
    high = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= 0.04045, encoded / 12.92, high)


def to_encoded(light: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Encode linear light to sRGB values.

    Negative light (a layer from which too much was taken) continues the curve's linear foot, so
    that a loss still has a slope there; nothing is clipped.
    """
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, high)
