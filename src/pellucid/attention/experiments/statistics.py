"""Means over seeds, and how well they are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.attention.estimates import T95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % t-interval.

    Attributes:
        mean: NaN for no values.
        half_width: NaN for fewer than two values.
        count: seeds.

    """

    mean: float
    half_width: float
    count: int

    @property
    def run_half_width(self) -> float:
        """Half of the 95 % prediction interval of one more run: t · s · √(1 + 1/n)."""
        return self.half_width * math.sqrt(self.count + 1)

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "–"
        digits = decimals(self.mean, self.half_width)
        text = f"{self.mean:z.{digits}f}"
        return text if math.isnan(self.half_width) else f"{text} ± {self.half_width:.{digits}f}"


def interval(values: Sequence[float]) -> Interval:
    """Compute the mean of up to ten values and its 95 % t-interval."""
    known = [value for value in values if math.isfinite(value)]
    count = len(known)
    if count == 0:
        return Interval(math.nan, math.nan, 0)
    mean = sum(known) / count
    if count == 1:
        return Interval(mean, math.nan, 1)
    variance = sum((value - mean) ** 2 for value in known) / (count - 1)
    return Interval(mean, T95[count - 2] * math.sqrt(variance / count), count)


def decimals(mean: float, half_width: float) -> int:
    """Return how many decimals say what is known: two digits of the half-width, at most four."""
    scale = half_width if half_width > 0 else abs(mean)
    if not math.isfinite(scale) or scale == 0:
        return 2
    return min(4, max(0, 1 - math.floor(math.log10(scale))))
