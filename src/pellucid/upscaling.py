"""Layers at the photo's own size from layers at the working resolution.

Fine detail that the model never saw is shared between the layers by a local linear model of the
mixture, as in the fast guided filter (He and Sun 2015, arXiv:1505.00996, algorithm 2), fitted to
the finest detail of the working resolution:

    T = g M + a,    R = (1 - g) M + b

with M the mixture and g in [0, 1] the share of the detail that is the transmission's. g, a and b
are smooth maps at the working resolution, so enlarging them and multiplying by the photo's own
light gives the layers at full size, band by band.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from pellucid.enlarging import RowEnlarger, cubic

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layer = Literal["transmission", "reflection"]

WINDOW_RADIUS = 4
DETAIL_FLOOR = 1e-5
"""Mean square of detail (linear light) below which the share leans to 1: a standard deviation of
.003 is the noise of a photo after downscaling, not a texture to fit."""


@dataclass(frozen=True, eq=False)
class WorkingLayers:
    """The mixture and its layers at the working resolution, (h, w, 3) float32 linear light."""

    mixture: NDArray[np.float32]
    transmission: NDArray[np.float32]
    reflection: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.mixture.shape[:2]
        return width, height

    @cached_property
    def share(self) -> NDArray[np.float32]:
        """The share of fine detail that is the transmission's, (h, w) in [0, 1]."""
        return detail_share(self.mixture, self.transmission)


class LayerModel:
    """Gives one layer of a photo at full size, rows at a time; safe to share by threads."""

    def __init__(self, working: WorkingLayers, layer: Layer, size: tuple[int, int]) -> None:
        """Fit the local linear model of a layer for a photo of `size` (width, height)."""
        share = working.share
        if layer == "reflection":
            share = np.subtract(1, share, dtype=np.float32)
        target: NDArray[np.float32] = getattr(working, layer)
        offset = target - share[..., None] * working.mixture
        kernel = round_trip_kernel(size[0] / working.size[0])
        # Enlarging and averaging again blurs a little; what one round trip would lose is added.
        offset += offset - blur(offset, kernel)
        self._maps = RowEnlarger([share, *np.moveaxis(offset, 2, 0)], size)

    def rows(self, mixture: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
        """Return rows start..stop of the layer from the same rows of the photo's light.

        Both are (stop - start, W, 3) float32 linear light; the layer lies in
        [min(0, mixture), max(1, mixture)].
        """
        share, *offsets = self._maps.rows(start, stop)
        layer = mixture * share[..., None]
        for channel, offset in enumerate(offsets):
            layer[..., channel] += offset
        low, high = min(0, mixture.min()), max(1, mixture.max())
        if (low, high) != (0, 1):  # colours outside sRGB
            low, high = np.minimum(mixture, 0), np.maximum(mixture, 1)
        return np.clip(layer, low, high, out=layer)


def detail_share(
    mixture: NDArray[np.float32], transmission: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the share g of local detail that is the transmission's, (h, w) float32 in [0, 1].

    The slope of a regression, without intercept, of the transmission's finest detail on the
    mixture's in windows of 9 × 9 pixels and all channels; 1 where there is no detail to fit.
    """
    kernel = round_trip_kernel(np.inf)
    mixture_detail = mixture - blur(mixture, kernel)
    transmission_detail = transmission - blur(transmission, kernel)
    common = box_mean(_mean_product(transmission_detail, mixture_detail))
    power = box_mean(_mean_product(mixture_detail, mixture_detail))
    slope = np.divide(common + DETAIL_FLOOR, power + DETAIL_FLOOR, dtype=np.float32)
    return np.clip(box_mean(slope.clip(0, 1)), 0, 1)


def _mean_product(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the product of two (h, w, C) pictures over channels."""
    return np.einsum("hwc,hwc->hw", a, b) / np.float32(a.shape[2])


def round_trip_kernel(scale: float) -> NDArray[np.float32]:
    """Return the 5 taps of enlarging by a cubic kernel and averaging back, at the small size.

    `scale` is the factor of enlargement; from 8 on the taps no longer change visibly.
    """
    places = max(1, round(min(scale, 8)))
    inside = (np.arange(places) + 0.5) / places - 0.5
    return np.array([cubic(inside - tap).mean() for tap in range(-2, 3)], np.float32)


def blur(picture: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve rows and columns of a (h, w, C) picture with an odd kernel, edges repeated."""
    radius = len(kernel) // 2
    for axis in (0, 1):
        length = picture.shape[axis]
        edge = [(radius, radius) if axis == other else (0, 0) for other in range(3)]
        padded = np.pad(picture, edge, mode="edge")
        picture = sum(
            (tap * padded.take(range(i, i + length), axis) for i, tap in enumerate(kernel)),
            start=np.zeros_like(picture),
        )
    return picture


def box_mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average a (h, w) picture over windows of 9 × 9 pixels, edges repeated."""
    width = 2 * WINDOW_RADIUS + 1
    padded = np.pad(picture, WINDOW_RADIUS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view
    columns = windows(padded, width, axis=0).mean(axis=-1, dtype=np.float32)
    return windows(columns, width, axis=1).mean(axis=-1, dtype=np.float32)
