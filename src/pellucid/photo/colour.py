"""The sRGB transfer function, extended to negative and over-range light."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def srgb_to_linear(encoded: ArrayLike) -> NDArray[np.float32]:
    """Turn sRGB-encoded values into linear light (IEC 61966-2-1).

    ``encoded`` has any shape, 0 is black and 1 is white. Values above 1 follow the same curve and
    negative ones mirror it (as in scRGB), so nothing is clipped.
    """
    x = np.asarray(encoded, dtype=np.float32)
    size = np.abs(x)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, x)


def linear_to_srgb(linear: ArrayLike) -> NDArray[np.float32]:
    """Turn linear light into sRGB-encoded values: the inverse of :func:`srgb_to_linear`."""
    x = np.asarray(linear, dtype=np.float32)
    size = np.abs(x)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, x)
