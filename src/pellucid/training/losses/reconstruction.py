"""Losses on the layers themselves, on sRGB-encoded values, as a person sees them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from pellucid.network.light import to_light
from pellucid.network.recovery import Layers


def rms_error(
    output: Float[Tensor, "B C H W"], truth: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """Mean over photos of the root mean square error.

    Between mean square (a few bad photos decide) and PSNR (the best photos decide).
    """
    return torch.sqrt((output - truth).square().mean(dim=(1, 2, 3)) + 1e-6).mean()


def gradient_error(
    output: Float[Tensor, "B C H W"], truth: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the differences between neighbours, across and down."""
    error = output - truth
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return across + down


def recomposition_error(
    layers: Layers, mixture: Float[Tensor, "B 3 H W"], adds: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Mean absolute difference between T + R and M in linear light, where M does not clip.

    Only mixtures whose light `adds` count.
    """
    unclipped = (mixture < 0.98).to(mixture.dtype) * adds[:, None, None, None]
    difference = layers.transmission + layers.reflection - to_light(mixture)
    return (difference.abs() * unclipped).sum() / unclipped.sum().clamp(min=1.0)


def halve(encoded: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
    """Return the photos at half their sides."""
    return F.avg_pool2d(encoded, 2)
