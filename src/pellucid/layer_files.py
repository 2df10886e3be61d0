"""The files of layers: which are written, what they show, how they are called, in which format."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pellucid.photo.formats import is_raw_suffix
from pellucid.photo.write import SUFFIXES

if TYPE_CHECKING:
    from pellucid.photo import Photo
    from pellucid.separation import Separation
    from pellucid.upscaling import Layer


class Format(StrEnum):
    """Formats that can be written."""

    JPEG = "jpeg"
    PNG = "png"
    TIFF = "tiff"
    WEBP = "webp"
    AVIF = "avif"
    HEIC = "heic"

    @property
    def pillow_name(self) -> str:
        """The name that `Photo.source_format` uses."""
        return "HEIF" if self is Format.HEIC else self.upper()


class Layers(StrEnum):
    """Which layers are written."""

    TRANSMISSION = "transmission"
    REFLECTION = "reflection"
    BOTH = "both"

    @property
    def chosen(self) -> list[Layer]:
        """The layers themselves."""
        match self:
            case Layers.TRANSMISSION:
                return ["transmission"]
            case Layers.REFLECTION:
                return ["reflection"]
            case Layers.BOTH:
                return ["transmission", "reflection"]


_BY_PILLOW_NAME = {format.pillow_name: format for format in Format}
FORMATS = {suffix: _BY_PILLOW_NAME[name] for suffix, name in SUFFIXES.items()}
"""Format of a file by its suffix, in lower case."""


def target_suffix(suffix: str, format: Format | None) -> str:
    """Return the suffix of a layer of a photo with this suffix; a photo's own where it fits."""
    own = FORMATS.get(suffix.lower())
    wanted = format or own or _nearest_format(suffix)
    return suffix if wanted is own else next(s for s in FORMATS if FORMATS[s] is wanted)


def _nearest_format(suffix: str) -> Format:
    """Return the lossless format for one that can be read only; 16 bits for camera raw."""
    return Format.TIFF if is_raw_suffix(suffix) else Format.PNG


def shown_by(separation: Separation, layer: Layer, strength: float) -> Photo:
    """Return what a layer's file shows; `strength`, as in `blend`, shapes the transmission's."""
    return separation.photo(layer) if layer == "reflection" else separation.blend(strength)
