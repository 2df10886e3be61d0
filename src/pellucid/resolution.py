"""The resolution at which the model works, and the way down to it.

Shapes: light is (H, W, 3) float32, linear; sizes are (width, height) as in Pillow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pellucid.bands import BAND_PIXELS, in_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = Callable[[int, int], "NDArray[np.float32]"]
"""Gives rows start..stop of a picture as (stop - start, W, C), so that no one holds it whole."""


@dataclass(frozen=True)
class WorkingResolution:
    """Limits of the picture that the model sees.

    Attributes:
        short_side: most pixels of the short side.
        area: most pixels, counting a side shorter than `multiple` as if it were that long.
        multiple: the model's sides are multiples of this; pictures are padded up to it.
    """

    short_side: int = 256
    area: int = 131_072
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


def area_downscale(
    rows: Rows, size: tuple[int, int], target: tuple[int, int], threads: int = 1
) -> NDArray[np.float32]:
    """Average a picture over the exact area of each target pixel.

    Args:
        rows: gives the picture's rows; called by several threads if `threads` is more than 1.
        size: (width, height) of the picture.
        target: (width, height), neither side larger than the picture's.
        threads: how many threads share the work.

    Returns:
        The (height, width, C) float32 picture at the target size.
    """
    (width, height), (target_width, target_height) = size, target
    ratio = height / target_height
    step = max(1, int(BAND_PIXELS / (width * ratio)))

    def average(start: int, stop: int) -> NDArray[np.float32]:
        edges = np.arange(start, stop + 1) * ratio
        first, last = math.floor(edges[0]), min(math.ceil(edges[-1]), height)
        band = rows(first, last)
        means = [_mean_rows(band, *pair) for pair in pairwise((edges - first).tolist())]
        return _mean_columns(np.stack(means), target_width)

    starts = range(0, target_height, step)
    ranges = [(start, min(start + step, target_height)) for start in starts]
    return np.concatenate(in_threads(average, ranges, threads))


def _mean_rows(band: NDArray[np.float32], start: float, stop: float) -> NDArray[np.float32]:
    """Average the rows of a band from `start` to `stop`, of which the ends may be parts of a row.

    Sums, not a matrix product: a product of this size would start the threads of NumPy's linear
    algebra inside ours, which costs ten times the work itself on a busy machine.
    """
    first, last = math.floor(start), min(math.ceil(stop), len(band))
    total = band[first:last].sum(axis=0)
    total -= np.float32(start - first) * band[first]
    total -= np.float32(last - stop) * band[last - 1]
    return total * np.float32(1 / (stop - start))


def _mean_columns(picture: NDArray[np.float32], target: int) -> NDArray[np.float32]:
    """Average the columns of a (H, W, C) picture down to `target`, by sums from its left edge."""
    height, width, channels = picture.shape
    edges = np.arange(target + 1) * (width / target)
    whole = np.minimum(edges.astype(np.intp), width - 1)
    before = np.zeros((height, width, channels))
    np.cumsum(picture[:, :-1], axis=1, out=before[:, 1:])
    sums = before[:, whole] + (edges - whole)[:, None] * picture[:, whole]
    return (np.diff(sums, axis=1) * (target / width)).astype(np.float32)
