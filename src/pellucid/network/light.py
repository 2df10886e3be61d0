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


NEGATIVE_SLOPE = 1.0
"""Slope of the encoding below black, where the curve's own is 12.92."""


def to_encoded(light: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Encode linear light to sRGB values.

    Negative light (a layer from which too much was taken) goes on with a gentle slope: a loss still
    pulls it back, but too much taken from a dark place, which is shown as black, costs no more than
    it should. With the curve's own slope, networks learn to take too little.
    """
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    low = light * torch.where(light < 0, NEGATIVE_SLOPE, 12.92)
    return torch.where(light <= 0.0031308, low, high)
