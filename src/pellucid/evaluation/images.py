"""What the evaluation calls an image, and its light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8] | NDArray[np.floating]
"""(H, W, 3) encoded sRGB: uint8 in [0, 255], or floating point in [0, 1]."""

Image8 = NDArray[np.uint8]
"""(H, W, 3) encoded sRGB, uint8."""


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


def to_light(image: Image) -> NDArray[np.float64]:
    """Return linear light in [0, 1] of an encoded image (IEC 61966-2-1, in float64)."""
    encoded = to_unit(image)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def from_light(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the encoded image in [0, 1] of linear light, clipped as a sensor clips."""
    clipped = np.clip(np.asarray(light, np.float64), 0.0, 1.0)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
