"""A photo in memory: codes, transparency, colour profile and all the file said about itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo.metadata import Metadata
from pellucid.photo.profile import SRGB, ColourProfile, Light, row_bands

Codes = NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright, in its own colour space and at its own depth.

    ``pixels``: (H, W, 3), uint8 or uint16, device RGB of ``profile``. ``alpha``: (H, W) of the
    same dtype, 0 transparent, or None. ``source`` is the name for messages, ``source_format``
    Pillow's name of the format ("RAW" for camera files). ``grey``: the file had one channel.
    ``notes`` tell what reading had to leave out or convert.
    """

    pixels: Codes
    alpha: Codes | None = None
    profile: ColourProfile = SRGB
    metadata: Metadata = field(default_factory=Metadata)
    source: str = "<array>"
    source_format: str = "PNG"
    grey: bool = False
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height

    @property
    def depth(self) -> int:
        """Bits a channel: 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    def rows(self, start: int, stop: int) -> Photo:
        """Return rows start..stop as a photo of their own; the codes are not copied."""
        alpha = None if self.alpha is None else self.alpha[start:stop]
        return replace(self, pixels=self.pixels[start:stop], alpha=alpha)

    def light(self) -> Light:
        """Return linear light in sRGB primaries, (H, W, 3), white = 1.

        Colours outside sRGB (of a wider profile) have values below 0 or above 1.
        """
        height, width = self.pixels.shape[:2]
        # Each channel's plane in one piece: arithmetic on light goes channel by channel.
        light = np.empty((3, height, width), np.float32).transpose(1, 2, 0)
        for rows in self._bands():
            self.profile.decode(self.pixels[rows], light[rows])
        return light

    def with_light(self, light: NDArray[np.floating]) -> Photo:
        """Return this photo with other light: (H, W, 3), linear, sRGB primaries, white = 1.

        Each value goes to the nearest code of the photo's own depth and profile, clipped to what
        it can hold. A pixel whose light did not change keeps its codes exactly, even where a wide
        profile has more codes than float32 light can tell apart.
        """
        if light.shape != self.pixels.shape:
            raise PhotoError(
                f"{self.source}: light of shape {light.shape} does not fit a photo of shape "
                f"{self.pixels.shape}; resize it to the photo first"
            )
        pixels = np.empty_like(self.pixels)
        for rows in self._bands():
            band = np.asarray(light[rows], dtype=np.float32)
            if np.isnan(band).any():
                raise PhotoError(f"{self.source}: the light holds values that are not numbers")
            self._encode_band(band, self.pixels[rows], pixels[rows])
        return replace(self, pixels=pixels)

    def _encode_band(self, light: Light, old: Codes, new: Codes) -> None:
        before = np.empty_like(light)
        self.profile.decode(old, before)
        same = before == light
        kept = same[..., 0] & same[..., 1] & same[..., 2]
        if kept.all():
            new[:] = old
            return
        self.profile.encode(light, new)
        if kept.any():
            new[kept] = old[kept]

    def in_srgb(self) -> Photo:
        """Return the same picture with codes of plain sRGB."""
        return replace(self, profile=SRGB, pixels=np.zeros_like(self.pixels)).with_light(
            self.light()
        )

    def image(self) -> Image.Image:
        """Return the picture as a Pillow image: 8-bit sRGB, RGBA where there is transparency."""
        photo = self.in_srgb()
        parts = [photo.pixels] if photo.alpha is None else [photo.pixels, photo.alpha[..., None]]
        codes = np.concatenate(parts, axis=2)
        return Image.fromarray(to_eight_bits(codes))

    def is_grey(self) -> bool:
        """Whether the file had one channel and the pixels still need no more than one."""
        first = self.pixels[..., 0]
        return self.grey and all(np.array_equal(first, self.pixels[..., c]) for c in (1, 2))

    def _bands(self) -> list[slice]:
        return list(row_bands(*self.pixels.shape[:2]))


def to_eight_bits(codes: Codes) -> NDArray[np.uint8]:
    """Round codes of 16 bits to the nearest of 8; those of 8 bits stay as they are."""
    if codes.dtype == np.uint8:
        return codes.astype(np.uint8, copy=False)
    return ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)
