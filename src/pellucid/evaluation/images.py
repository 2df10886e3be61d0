"""What the evaluation calls an image: 8-bit or [0, 1], sRGB-encoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.photo import linear_to_srgb, read_photo, srgb_to_linear

Image = NDArray[np.uint8] | NDArray[np.floating]
"""(H, W, 3) encoded sRGB: uint8 in [0, 255], or floating point in [0, 1]."""

Image8 = NDArray[np.uint8]
"""(H, W, 3) encoded sRGB, uint8."""


def read_image(path: Path) -> Image8:
    """Read a photo's values as 8 bits, upright, without colour management.

    Raises `PhotoError` if the file is no photo.
    """
    pixels = read_photo(path).pixels
    return pixels if pixels.dtype == np.uint8 else to_8bit(pixels / 65535.0)


def to_unit(image: Image) -> NDArray[np.float64]:
    """Return encoded values in [0, 1] as float64, whatever the image came as.

    Raises `ValueError` if it is not (H, W, 3), or neither uint8 nor floating point.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is (H, W, 3); got shape {image.shape}")
    if image.dtype == np.uint8:
        return image.astype(np.float64) / 255.0
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"an image is uint8 or floating point; got {image.dtype}")
    return image.astype(np.float64)


def to_8bit(unit: NDArray[np.floating]) -> Image8:
    """Clip encoded values to [0, 1] and round them to the nearest of 256 levels."""
    return np.round(np.clip(unit, 0.0, 1.0) * 255.0).astype(np.uint8)


def to_light(image: Image) -> NDArray[np.float32]:
    """Return linear light in [0, 1] of an encoded image."""
    return srgb_to_linear(to_unit(image))


def from_light(light: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the encoded image in [0, 1] of linear light, clipped as a sensor clips."""
    return linear_to_srgb(np.clip(light, 0.0, 1.0))
