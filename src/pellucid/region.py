"""A region of a photo: where the effect of a separation is wanted.

A region is (H, W) float32 in [0, 1] at the photo's own size: 1 = the whole effect, 0 = the photo
stays as it is to the bit, between them light is mixed linearly (a feathered edge).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import Photo, ReadLimits, read_photo
from pellucid.photo.read import named

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK_ASPECT = 0.02
"""How far the sides' ratio of a mask may be off the photo's, relative."""


def read_region(
    file: str | Path | bytes, size: tuple[int, int], limits: ReadLimits | None = None
) -> NDArray[np.float32]:
    """Read a mask: white = effect, black = none. With transparency, what is opaque counts.

    A mask of another size but the photo's shape is enlarged or reduced, with soft edges.

    Args:
        file: a file name, or an encoded image's bytes.
        size: (width, height) of the photo that it belongs to, as it is shown.
        limits: the largest mask that is read; None = as for photos.

    Raises:
        PhotoError: the mask cannot be read, or has not the photo's shape.
    """
    name = "the mask" if isinstance(file, bytes) else f"the mask {file}"
    mask = read_photo(
        named(file, name) if isinstance(file, bytes) else file, limits=limits or ReadLimits()
    )
    width, height = mask.size
    if abs(width * size[1] / (height * size[0]) - 1.0) > MASK_ASPECT:
        raise PhotoError(
            f"{name} is {width}×{height}, the photo {size[0]}×{size[1]}: "
            "draw it over the photo, as the photo is shown"
        )
    weight = _weight(mask)
    if mask.size == size:
        return weight
    resized = Image.fromarray(weight).resize(size, Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, np.float32), 0.0, 1.0)


def _weight(mask: Photo) -> NDArray[np.float32]:
    """Return the mean of the mask's encoded channels times its opacity, in [0, 1]."""
    weight = mask.pixels.mean(axis=2, dtype=np.float32) / np.iinfo(mask.pixels.dtype).max
    if mask.alpha is not None:
        weight *= mask.alpha.astype(np.float32) / np.iinfo(mask.alpha.dtype).max
    return np.asarray(weight, np.float32)


def check_region(region: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a region made in a program as float32.

    Raises:
        ValueError: it is not (H, W) of the photo, or not within [0, 1].
    """
    width, height = size
    if region.shape != (height, width):
        raise ValueError(
            f"the region has shape {region.shape}: give (height, width) = {(height, width)}"
        )
    if not (np.isfinite(region).all() and region.min() >= 0 and region.max() <= 1):
        raise ValueError("the region has values outside [0, 1]: 1 is the whole effect, 0 none")
    return np.ascontiguousarray(region, np.float32)
