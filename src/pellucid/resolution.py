"""The resolution at which the model works, and the way down to it.

Shapes: light is (H, W, 3) float32, linear; sizes are (width, height) as in Pillow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = Callable[[int, int], "NDArray[np.float32]"]
"""Gives rows start..stop of a picture as (stop - start, W, C), so that no one holds it whole."""

BAND_PIXELS = 1 << 18
"""Pixels of a band: 3 MB of float32 RGB, about what a core's cache holds."""


@dataclass(frozen=True)
class WorkingResolution:
    """Limits of the picture that the model sees.

    Attributes:
        short_side: most pixels of the short side.
        area: most pixels, counting a side shorter than `multiple` as if it were that long.
        multiple: the model's sides are multiples of this; pictures are padded up to it.
    """

    short_side: int = 320
    area: int = 200_000
    multiple: int = 32

    def fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the working size (width, height) of a picture; never larger than the picture."""
        short, long = sorted(size)
        scale = min(
            1.0,
            self.short_side / short,
            math.sqrt(self.area / (short * long)),
            self.area / (self.multiple * long),
        )
        width, height = (max(1, round(side * scale)) for side in size)
        return width, height

    def pad(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mirror a (H, W, C) picture at its right and lower edge up to multiples of `multiple`."""
        height, width = picture.shape[:2]
        below, right = -height % self.multiple, -width % self.multiple
        return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="reflect")


def bands(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Cut the rows of a picture into half-open ranges of about `BAND_PIXELS` pixels."""
    step = max(1, BAND_PIXELS // width)
    for start in range(0, height, step):
        yield start, min(start + step, height)


def area_downscale(
    rows: Rows, size: tuple[int, int], target: tuple[int, int]
) -> NDArray[np.float32]:
    """Average a picture over the exact area of each target pixel.

    Args:
        rows: gives the picture's rows.
        size: (width, height) of the picture.
        target: (width, height), neither side larger than the picture's.

    Returns:
        The (height, width, C) float32 picture at the target size.
    """
    (width, height), (target_width, target_height) = size, target
    short = _average_rows(rows, width, height, target_height)
    turned = short.swapaxes(0, 1)
    small = _average_rows(
        lambda start, stop: turned[start:stop], target_height, width, target_width
    )
    return np.ascontiguousarray(small.swapaxes(0, 1))


def _average_rows(rows: Rows, width: int, height: int, target: int) -> NDArray[np.float32]:
    """Average `height` rows of `width` pixels down to `target` rows."""
    ratio = height / target
    # 32 at most, because the matrix of shares grows with the square.
    step = min(32, max(1, int(BAND_PIXELS / (width * ratio))))
    averaged = []
    for start in range(0, target, step):
        stop = min(start + step, target)
        first, shares = _row_shares(height, target, start, stop)
        band = rows(first, first + shares.shape[1])
        averaged.append(np.tensordot(shares, band, axes=1))
    return np.concatenate(averaged)


def _row_shares(height: int, target: int, start: int, stop: int) -> tuple[int, NDArray[np.float32]]:
    """Return the first source row of target rows start..stop and each source row's share in them.

    Every row of the returned (stop - start, source rows) matrix sums to 1.
    """
    edges = np.arange(start, stop + 1) * (height / target)
    first, last = math.floor(edges[0]), min(math.ceil(edges[-1]), height)
    source = np.arange(first, last)
    upper = np.minimum(edges[1:, None], source + 1)
    lower = np.maximum(edges[:-1, None], source)
    overlap = np.clip(upper - lower, 0, None)
    return first, (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
