"""From a decoded picture of any Pillow mode to a Photo: one place for colour, alpha and turning."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pellucid.errors import PhotoError
from pellucid.photo.icc import BrokenProfileError, LookupProfileError, colour_space, parse_icc
from pellucid.photo.metadata import (
    JpegCoding,
    Metadata,
    clean_dpi,
    orientation_of,
    quiet,
    upright_exif,
    upright_xmp,
)
from pellucid.photo.photo import Codes, Photo
from pellucid.photo.profile import SRGB, ColourProfile

_WITH_ALPHA = {"LA", "PA", "La", "RGBA", "RGBa"}
_DAMAGED_EXIF = "its EXIF block is damaged and was left out"
_DEEP_GREY = {"I;16", "I;16L", "I;16B", "I;16N"}


@dataclass
class Raster:
    """A decoded picture as stored: codes (H, W, 1 to 4 channels), not yet turned upright."""

    codes: Codes
    icc: bytes | None = None
    exif: Image.Exif = field(default_factory=Image.Exif)
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    jpeg: JpegCoding | None = None
    notes: list[str] = field(default_factory=list)


def photo_from_raster(raster: Raster, source: str, source_format: str) -> Photo:
    """Turn the picture upright, find its profile and split off its alpha channel."""
    codes = _upright(raster.codes, orientation_of(raster.exif))
    size = codes.shape[1], codes.shape[0]
    channels = codes.shape[2]
    colours, alpha = (codes[..., :-1], codes[..., -1]) if channels in (2, 4) else (codes, None)
    colours, profile = _with_profile(colours, raster, source)
    metadata = Metadata(
        exif=_exif(raster, size), xmp=_xmp(raster), dpi=raster.dpi, jpeg=raster.jpeg
    )
    return Photo(
        pixels=np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3))),
        alpha=None if alpha is None else np.ascontiguousarray(alpha),
        profile=profile,
        metadata=metadata,
        source=source,
        source_format=source_format,
        grey=colours.shape[2] == 1,
        notes=tuple(raster.notes),
    )


def _upright(codes: Codes, orientation: int) -> Codes:
    if orientation >= 5:
        codes = codes.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        codes = codes[:, ::-1]
    if orientation in (3, 4, 7, 8):
        codes = codes[::-1]
    return codes


def _exif(raster: Raster, size: tuple[int, int]) -> bytes | None:
    try:
        return upright_exif(raster.exif, size)
    except Exception:  # hostile tags fail in many ways, and no tag is worth the photo
        raster.notes.append(_DAMAGED_EXIF)
        return None


def _xmp(raster: Raster) -> bytes | None:
    xmp = upright_xmp(raster.xmp)
    if raster.xmp and xmp is None:
        raster.notes.append("its XMP block could not be edited safely and was left out")
    return xmp


def _with_profile(colours: Codes, raster: Raster, source: str) -> tuple[Codes, ColourProfile]:
    """Return the colours and their profile, after a conversion to sRGB where tables need one."""
    if not raster.icc:
        return colours, SRGB
    wanted = "GRAY" if colours.shape[2] == 1 else "RGB"
    try:
        if (space := colour_space(raster.icc)) != wanted:
            raise BrokenProfileError(f"it is for {space}, the picture is {wanted}")
        return colours, parse_icc(raster.icc)
    except LookupProfileError:
        return _through_colour_engine(colours, raster, source)
    except BrokenProfileError as error:
        raster.notes.append(f"its colour profile was ignored and sRGB assumed: {error}")
        return colours, SRGB


def _through_colour_engine(
    colours: Codes, raster: Raster, source: str
) -> tuple[Codes, ColourProfile]:
    if colours.dtype != np.uint8:
        raise PhotoError(
            f"{source}: its colour profile works by look-up tables, which would reduce 16 bits "
            "to 8; convert the photo to sRGB, Display P3 or Adobe RGB first"
        )
    plain = colours[..., 0] if colours.shape[2] == 1 else colours
    converted = _to_srgb(Image.fromarray(np.ascontiguousarray(plain)), raster.icc)
    if converted is None:
        raster.notes.append("its colour profile was ignored and sRGB assumed: it is damaged")
        return colours, SRGB
    raster.notes.append("its colour profile works by look-up tables: converted to sRGB")
    return np.asarray(converted), SRGB


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image | None:
    """Convert relative to white, with black-point compensation; None if the profile fails."""
    source = ImageCms.createProfile("LAB") if icc is None else io.BytesIO(icc)
    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(source),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def raster_around(image: Image.Image, codes: Codes) -> Raster:
    """Put ``codes`` together with the metadata Pillow found in the image's file."""
    notes = []
    try:
        with quiet():
            exif = image.getexif()
    except Exception:  # as in _exif
        exif = Image.Exif()
        notes.append(_DAMAGED_EXIF)
    return Raster(
        codes=codes,
        icc=image.info.get("icc_profile") or None,
        exif=exif,
        notes=notes,
        xmp=_xmp_bytes(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")),
        dpi=clean_dpi(image.info.get("dpi")),
    )


def raster_from_image(image: Image.Image, source: str) -> Raster:
    """Take the codes and metadata of a loaded Pillow image of any mode."""
    raster = raster_around(image, np.empty((0, 0, 3), np.uint8))
    raster.codes = _codes(image, raster, source)
    return raster


def _xmp_bytes(xmp: object) -> bytes | None:
    if isinstance(xmp, str):
        return xmp.encode("utf-8", "surrogateescape")
    return xmp if isinstance(xmp, bytes) else None


def _codes(image: Image.Image, raster: Raster, source: str) -> Codes:
    """Return (H, W, channels) codes, converting colour spaces that are not grey or RGB."""
    mode = image.mode
    if mode in _DEEP_GREY:
        return np.asarray(image).astype(np.uint16)[..., None]
    if mode == "I":
        return _from_integers(np.asarray(image), source)
    if mode == "F":
        raster.notes.append("32-bit floating point was rounded to 16 bits")
        return codes_from_floats(np.asarray(image)[..., None], source)
    if mode in {"CMYK", "LAB"}:
        image = _from_print_space(image, raster)
    elif mode in _WITH_ALPHA or "transparency" in image.info:
        image = image.convert("LA" if mode in {"1", "L", "LA", "La"} else "RGBA")
    elif mode not in {"L", "RGB"}:
        image = image.convert("L" if mode == "1" else "RGB")
    codes = np.asarray(image)
    return codes[..., None] if codes.ndim == 2 else codes


def _from_print_space(image: Image.Image, raster: Raster) -> Image.Image:
    icc, raster.icc = raster.icc, None
    if image.mode == "LAB":
        icc = None
    elif icc is None:
        raster.notes.append("CMYK without a colour profile: converted to sRGB by rule of thumb")
        return image.convert("RGB")
    converted = _to_srgb(image, icc)
    if converted is None:
        raster.notes.append("its colour profile was ignored: it is damaged or not for this picture")
        return image.convert("RGB")
    raster.notes.append(f"{image.mode} was converted to sRGB")
    return converted


def _from_integers(values: NDArray[np.integer], source: str) -> NDArray[np.uint16]:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise PhotoError(
            f"{source}: its 32-bit values go beyond 16 bits; save it with 16 bits a channel"
        )
    return values.astype(np.uint16)[..., None]


def codes_from_floats(values: NDArray[np.floating], source: str) -> NDArray[np.uint16]:
    """Round encoded values in [0, 1] to 16 bits; PhotoError for anything outside."""
    if not np.isfinite(values).all():
        raise PhotoError(f"{source}: it holds values that are not numbers (NaN or infinity)")
    if values.size and (values.min() < 0 or values.max() > 1):
        raise PhotoError(
            f"{source}: its floating-point values go outside 0 to 1; scale or clip them first"
        )
    return np.rint(values.astype(np.float64) * 65535).astype(np.uint16)
