"""Colour profiles of the matrix/TRC kind: codes to linear light in sRGB primaries and back.

A profile is three tone curves (code to linear light of its own primaries) and a matrix to linear
sRGB primaries (ICC.1:2022, section F.3). Each curve becomes a table for the depth in use, so that
both ways are a look-up and exact: an encoded value is the *nearest* code, found by comparing the
light with the curve at the half-way points between codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Light = NDArray[np.float32]

_BAND_PIXELS = 1 << 16


class Curve(Protocol):
    """A tone curve: encoded values in [0, 1] to linear light, rising."""

    def __call__(self, x: Floats, /) -> Floats:
        """Return the linear light of the encoded values ``x``."""
        ...


@dataclass(frozen=True)
class ParametricCurve:
    """``(a·x + b)^g + e`` from ``d`` upwards and ``c·x + f`` below (ICC ``para``, type 4)."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def __call__(self, x: Floats, /) -> Floats:
        """Return the linear light of the encoded values ``x``."""
        with np.errstate(all="ignore"):  # absurd parameters give infinity, clipped below
            power = np.maximum(self.a * x + self.b, 0.0) ** self.g + self.e
        return np.clip(np.where(x >= self.d, power, self.c * x + self.f), 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class TableCurve:
    """Samples in [0, 1] at even steps, joined by straight lines (ICC ``curv``)."""

    samples: Floats

    def __call__(self, x: Floats, /) -> Floats:
        """Return the linear light of the encoded values ``x``."""
        return np.interp(x, np.linspace(0.0, 1.0, len(self.samples)), self.samples)


class CurveTables:
    """One curve at one depth: ``levels[code]`` is its light, :meth:`encode` the way back."""

    def __init__(self, curve: Curve, maximum: int) -> None:
        halves = curve(np.arange(2 * maximum + 1) / (2 * maximum)).astype(np.float32)
        halves = np.maximum.accumulate(halves)  # rounded parameters may dip where pieces meet
        self.levels, midpoints = halves[::2], halves[1::2]
        self._midpoints = np.append(midpoints, np.float32(np.inf))
        # The square root spreads the codes about evenly for every usual curve, so a bucket of it
        # holds at most one midpoint: the bucket gives a first code and one comparison settles it.
        self._buckets = np.float32(4 * (maximum + 1))
        crossed = np.bincount(self._bucket(midpoints), minlength=int(self._buckets) + 2)
        self._first = np.cumsum(crossed) - crossed
        self._steps = int(crossed.max())

    def _bucket(self, light: Light) -> NDArray[np.intp]:
        return (np.sqrt(light) * self._buckets).astype(np.intp)

    def encode(self, light: Light) -> NDArray[np.intp]:
        """Return the nearest code of each value, clipped to the curve's range."""
        light = np.clip(light, 0.0, 1.0)
        if self._steps > 4:  # a curve with long flat stretches
            return np.searchsorted(self._midpoints[:-1], light, side="left")
        code = np.take(self._first, self._bucket(light))
        for _ in range(self._steps):
            code += light > np.take(self._midpoints, code)
        return code


@lru_cache(maxsize=32)
def curve_tables(curve: Curve, maximum: int) -> CurveTables:
    """Return the tables of ``curve`` for codes 0 to ``maximum``."""
    return CurveTables(curve, maximum)


@dataclass(frozen=True, eq=False)
class ColourProfile:
    """How a photo's codes relate to linear light in sRGB primaries.

    ``curves`` are those of red, green and blue. ``to_srgb`` takes linear light of the profile's
    primaries to sRGB primaries, (3, 3), or is None where they are the same. ``icc`` is the profile
    as found in the file, written back with the photo. ``grey`` marks a one-channel profile.
    """

    curves: tuple[Curve, Curve, Curve]
    to_srgb: Floats | None = None
    icc: bytes | None = None
    grey: bool = False

    def decode(self, codes: NDArray[np.unsignedinteger], light: Light) -> None:
        """Write the light of ``codes`` (H, W, 3) into ``light`` (H, W, 3)."""
        maximum = np.iinfo(codes.dtype).max
        planes = [
            np.take(curve_tables(curve, maximum).levels, codes[..., channel])
            for channel, curve in enumerate(self.curves)
        ]
        _write_planes(planes, self.to_srgb, light)

    def encode(self, light: Light, codes: NDArray[np.unsignedinteger]) -> None:
        """Write the nearest codes of ``light`` (H, W, 3) into ``codes`` (H, W, 3)."""
        maximum = np.iinfo(codes.dtype).max
        own = light
        if self.to_srgb is not None:
            own = np.empty_like(light)
            planes = [np.ascontiguousarray(light[..., channel]) for channel in range(3)]
            _write_planes(planes, np.linalg.inv(self.to_srgb).astype(np.float64), own)
        for channel, curve in enumerate(self.curves):
            plane = np.ascontiguousarray(own[..., channel])
            codes[..., channel] = curve_tables(curve, maximum).encode(plane)


def _write_planes(planes: list[Light], matrix: Floats | None, out: Light) -> None:
    # Written out by hand: a matrix product may sum in another order for another shape, and
    # Photo.with_light relies on the same codes always giving the same light.
    for row in range(3):
        if matrix is None:
            out[..., row] = planes[row]
        else:
            a, b, c = matrix[row].astype(np.float32)
            out[..., row] = a * planes[0] + b * planes[1] + c * planes[2]


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Cut a picture into bands of rows small enough for temporaries to stay in the cache."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


SRGB_CURVE = ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB = ColourProfile((SRGB_CURVE, SRGB_CURVE, SRGB_CURVE))
