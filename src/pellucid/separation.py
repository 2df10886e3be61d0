"""The result of a separation: two layers of a photo at its own size, computed when asked for.

All light is (H, W, 3) float32, linear, in sRGB primaries, white = 1.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pellucid.bands import bands, in_threads
from pellucid.photo import Photo
from pellucid.region import check_region
from pellucid.upscaling import Layer, LayerModel, WorkingLayers

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_STRENGTH = 100.0

LayerRows = Callable[["NDArray[np.float32]", int, int], "NDArray[np.float32]"]
"""Gives rows start..stop of a layer from the same rows of the photo's light."""


@dataclass(frozen=True)
class Gates:
    """How far each description was followed: 0 = not at all, 1 = wholly, None = not given."""

    transmission: float | None
    reflection: float | None


@dataclass(frozen=True, eq=False)
class WordMap:
    """Where one word of a description acted.

    Attributes:
        word: as typed.
        weight: (ceil(h / 8), ceil(w / 8)) float32 over the working resolution h × w, the sum over
            the word's tokens of what the network gave each of them.
    """

    word: str
    weight: NDArray[np.float32]


@dataclass(frozen=True)
class WordMaps:
    """The maps of both descriptions, in the order of their words; empty without a description."""

    transmission: tuple[WordMap, ...]
    reflection: tuple[WordMap, ...]


@dataclass(frozen=True, eq=False)
class Separation:
    """A photo split into transmission (behind the glass) and reflection (mirrored in it).

    transmission + reflection + residual is the photo's own light, to float rounding.

    The layers at full size are computed when first read and then kept, 12 bytes a pixel each;
    `photo`, `image` and `blend` work in bands and keep nothing.

    Attributes:
        source: the photo as it was read.
        working: what the network saw and gave, at the working resolution.
        gates: how far each description was followed.
        word_maps: where each word acted.
        notes: what a person should know of this result, e.g. that a description was cut.
        threads: how many threads share the work at the photo's own size.
        region: where the effect is wanted, see `within`; None = everywhere.
    """

    source: Photo
    working: WorkingLayers
    gates: Gates
    word_maps: WordMaps
    notes: tuple[str, ...] = ()
    threads: int = 1
    region: NDArray[np.float32] | None = None

    def within(self, region: NDArray[np.floating]) -> Separation:
        """Return the same separation limited to a region of the photo.

        Outside, all light stays in the transmission, whose pixels are the photo's own to the bit;
        layers and residual still add up to the photo everywhere.

        Args:
            region: (H, W) at the photo's size, 1 = whole effect, 0 = none (`pellucid.region`).

        Raises:
            ValueError: the region has another shape, or values outside [0, 1].
        """
        return dataclasses.replace(self, region=check_region(region, self.source.size))

    @cached_property
    def transmission(self) -> NDArray[np.float32]:
        """Light from behind the glass, (H, W, 3) in [min(0, photo), max(1, photo)]."""
        return self._assemble(self._layer_rows("transmission"))

    @cached_property
    def reflection(self) -> NDArray[np.float32]:
        """Light mirrored in the glass, (H, W, 3) in [min(0, photo), max(1, photo)]."""
        return self._assemble(self._layer_rows("reflection"))

    @cached_property
    def residual(self) -> NDArray[np.float32]:
        """The photo's light that is in neither layer, (H, W, 3); may be negative."""

        def rows(mixture: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
            part = slice(start, stop)
            return mixture - self.transmission[part] - self.reflection[part]

        return self._assemble(rows)

    def photo(self, layer: Layer) -> Photo:
        """Return a layer as a photo of the source's size, depth, colour profile and metadata."""
        return self._render(self._layer_rows(layer), leave_outside=layer == "transmission")

    def image(self, layer: Layer) -> Image.Image:
        """Return a layer as a Pillow image, 8-bit sRGB, RGBA where the source has alpha."""
        return self.photo(layer).image()

    def blend(self, strength: float) -> Photo:
        """Return the photo with more or less of its reflection.

        Args:
            strength: 100 is the transmission, 0 the untouched source, -100 the reflection; between
                them light is interpolated linearly.

        Raises:
            ValueError: the strength is outside [-100, 100].
        """
        if not -FULL_STRENGTH <= strength <= FULL_STRENGTH:
            raise ValueError(f"strength is {strength}: use a number from -100 to 100")
        if strength == 0:
            return self.source
        layer_rows = self._unlimited_rows("transmission" if strength > 0 else "reflection")
        weight = np.float32(abs(strength) / FULL_STRENGTH)
        return self._render(self._mixed(layer_rows, weight), leave_outside=True)

    def _repr_png_(self) -> bytes:
        """Show photo, transmission and reflection side by side, small, in a notebook."""
        height = min(240, self.source.size[1])
        width = max(1, round(self.source.size[0] * height / self.source.size[1]))
        shown = [self.source, self.photo("transmission"), self.photo("reflection")]
        sheet = Image.new("RGB", (3 * width, height))
        for place, photo in enumerate(shown):
            small = photo.image().convert("RGB").resize((width, height))
            sheet.paste(small, (place * width, 0))
        encoded = io.BytesIO()
        sheet.save(encoded, "PNG")
        return encoded.getvalue()

    def _mixed(self, layer_rows: LayerRows, weight: np.float32) -> LayerRows:
        """Return the way from the photo to a layer, by a weight and the region."""
        if weight == 1 and self.region is None:
            return layer_rows

        def rows(mixture: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float32]:
            layer = layer_rows(mixture, start, stop)
            weights = self._weights(start, stop, weight)
            return np.asarray(mixture + weights * (layer - mixture), np.float32)

        return rows

    def _weights(
        self, start: int, stop: int, weight: np.float32
    ) -> NDArray[np.float32] | np.float32:
        return weight if self.region is None else weight * self.region[start:stop, :, None]

    def _layer_rows(self, layer: Layer) -> LayerRows:
        rows = self._unlimited_rows(layer)
        if self.region is None:
            return rows
        if layer == "transmission":
            return self._mixed(rows, np.float32(1))
        return lambda mixture, start, stop: np.asarray(
            rows(mixture, start, stop) * self._weights(start, stop, np.float32(1)), np.float32
        )

    def _unlimited_rows(self, layer: Layer) -> LayerRows:
        width, height = self.source.size
        if self.working.size == (width, height):
            whole: NDArray[np.float32] = getattr(self.working, layer)
            return lambda _mixture, start, stop: whole[start:stop]
        return LayerModel(self.working, layer, (width, height)).rows

    def _assemble(self, rows: LayerRows) -> NDArray[np.float32]:
        width, height = self.source.size
        light = np.empty((height, width, 3), np.float32)

        def work(start: int, stop: int) -> None:
            light[start:stop] = rows(self.source.rows(start, stop).light(), start, stop)

        self._in_bands(work)
        return light

    def _render(self, rows: LayerRows, *, leave_outside: bool) -> Photo:
        """Return light as a photo; outside the region, the source's own pixels if wanted."""
        pixels = np.empty_like(self.source.pixels)

        def work(start: int, stop: int) -> None:
            part = self.source.rows(start, stop)
            made = part.with_light(rows(part.light(), start, stop)).pixels
            if leave_outside and self.region is not None:
                made = np.where(self.region[start:stop, :, None] > 0, made, part.pixels)
            pixels[start:stop] = made

        self._in_bands(work)
        return dataclasses.replace(self.source, pixels=pixels)

    def _in_bands(self, work: Callable[[int, int], None]) -> None:
        width, height = self.source.size
        in_threads(work, list(bands(height, width)), self.threads)
