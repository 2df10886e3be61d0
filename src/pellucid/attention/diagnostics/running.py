"""Means and confidence intervals that stream over samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.attention.estimates import Z95, Estimate


class Running:
    """Mean and variance of arrays over their first axis, NaN being no value (Welford 1962)."""

    def __init__(self) -> None:
        self.count: NDArray[Any] = np.zeros(())
        self.mean: NDArray[Any] = np.zeros(())
        self.squares: NDArray[Any] = np.zeros(())

    def update(self, values: NDArray[Any]) -> None:
        """Add samples.

        Args:
            values: (samples, ...) of the same trailing shape each time.

        """
        values = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        safe = np.maximum(count, 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / safe
        squares = np.where(known, (np.where(known, values, mean) - mean) ** 2, 0.0).sum(axis=0)
        total = self.count + count
        shift = mean - self.mean
        both = np.maximum(total, 1)
        self.mean = self.mean + shift * count / both
        self.squares = self.squares + squares + shift**2 * self.count * count / both
        self.count = total

    def means(self) -> NDArray[Any]:
        """Return the means, NaN where there were no values."""
        return np.where(self.count > 0, self.mean, np.nan)

    def half_widths(self) -> NDArray[Any]:
        """Return half of the 95 % confidence intervals, NaN below two values."""
        deviation = np.sqrt(self.squares / np.maximum(self.count - 1, 1))
        return np.where(
            self.count > 1, Z95 * deviation / np.sqrt(np.maximum(self.count, 1)), np.nan
        )

    def estimate(self) -> Estimate:
        """Return the estimate of a scalar."""
        return Estimate(float(self.means()), float(self.half_widths()), int(self.count))
