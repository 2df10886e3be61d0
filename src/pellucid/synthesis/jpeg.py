"""JPEG's loss without its bit stream: 8×8 cosine transform, rounding by quality, and back.

Batched, so that a whole batch costs a few milliseconds. Source: ITU-T T.81, Annex A and K.1/K.2;
chroma at half resolution (4:2:0).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
RGB_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(
    encoded: Float[Tensor, "B 3 H W"], quality: Float[Tensor, " B"]
) -> Float[Tensor, "B 3 H W"]:
    """Return what a JPEG of each photo's quality (1–100) would show.

    Args:
        encoded: sRGB values in [0, 1]; sides multiples of 16.
        quality: As libjpeg counts it.
    """
    matrix = torch.tensor(RGB_TO_YCC)
    ycc = torch.einsum("ij,bjhw->bihw", matrix, encoded) * 255.0
    luma = _quantise(ycc[:, :1] - 128.0, torch.tensor(LUMA), quality) + 128.0
    chroma = _quantise(F.avg_pool2d(ycc[:, 1:], 2), torch.tensor(CHROMA), quality)
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    joined = torch.cat([luma, chroma], dim=1) / 255.0
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), joined).clamp(0.0, 1.0)


def _quantise(
    planes: Float[Tensor, "B P H W"], table: Float[Tensor, "8 8"], quality: Float[Tensor, " B"]
) -> Float[Tensor, "B P H W"]:
    scale = torch.where(quality < 50, 5000.0 / quality, 200.0 - 2.0 * quality) / 100.0
    steps = (table[None] * scale[:, None, None]).round().clamp(1, 255)[:, None, None, None]
    transform = _cosines()
    batch, count, height, width = planes.shape
    blocks = planes.reshape(batch, count, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = transform @ blocks @ transform.T
    blocks = transform.T @ ((coefficients / steps).round() * steps) @ transform
    return blocks.transpose(3, 4).reshape(planes.shape)


def _cosines() -> Float[Tensor, "8 8"]:
    place = torch.arange(8, dtype=torch.float32)
    basis = torch.cos((2.0 * place[None, :] + 1.0) * place[:, None] * math.pi / 16.0) * 0.5
    basis[0] *= math.sqrt(0.5)
    return basis
