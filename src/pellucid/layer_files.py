"""How the files of layers are called: formats, suffixes, which layers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pellucid.photo.formats import is_raw

if TYPE_CHECKING:
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


SUFFIXES = {
    Format.JPEG: (".jpg", ".jpeg", ".jpe"),
    Format.PNG: (".png",),
    Format.TIFF: (".tif", ".tiff"),
    Format.WEBP: (".webp",),
    Format.AVIF: (".avif",),
    Format.HEIC: (".heic", ".heif"),
}
FORMATS = {suffix: format for format, suffixes in SUFFIXES.items() for suffix in suffixes}


def target_suffix(suffix: str, format: Format | None) -> str:
    """Return the suffix of a layer of a photo with this suffix; a photo's own where it fits."""
    if format is None:
        format = FORMATS.get(suffix.lower()) or _nearest_format(suffix)
    return suffix if suffix.lower() in SUFFIXES[format] else SUFFIXES[format][0]


def _nearest_format(suffix: str) -> Format:
    """Return the lossless format for one that can be read only; 16 bits for camera raw."""
    return Format.TIFF if is_raw(b"", suffix) else Format.PNG
