"""A photo to measure with: drawn, so that every machine measures the same one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHAPE = 4 / 3
_GRAIN = 3.0
"""Standard deviation, in codes, of the noise of every pixel, as a camera's."""


def picture_size(megapixels: float) -> tuple[int, int]:
    """Return width and height of a 4 : 3 picture of about so many million pixels."""
    height = math.sqrt(megapixels * 1e6 / _SHAPE)
    return max(1, round(height * _SHAPE)), max(1, round(height))


def draw(megapixels: float, seed: int = 0) -> NDArray[np.uint8]:
    """Draw smooth shapes of several sizes under grain, (H, W, 3) codes."""
    size = picture_size(megapixels)
    rng = np.random.default_rng(seed)
    shapes = [rng.integers(0, 256, (3 * n, 4 * n, 3), np.uint8) for n in (1, 5, 25)]
    layers = [Image.fromarray(shape).resize(size, Image.Resampling.BICUBIC) for shape in shapes]
    picture = np.array(Image.blend(Image.blend(layers[0], layers[1], 0.5), layers[2], 0.2))
    for row in picture:
        grain = rng.normal(0, _GRAIN, (size[0], 1)).astype(np.float32)
        row[:] = np.clip(row + grain, 0, 255)
    return picture


def write_picture(path: Path, megapixels: float) -> None:
    """Write the picture as a JPEG of quality 92."""
    Image.fromarray(draw(megapixels)).save(path, "JPEG", quality=92)
