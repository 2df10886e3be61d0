"""Read a whole photo: bytes in, an upright Photo out, or one error that says what to do."""

from __future__ import annotations

import io
import os
import stat
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pellucid.errors import PhotoError
from pellucid.photo import formats, jpeg, png
from pellucid.photo.limits import DEFAULT_LIMITS, ReadLimits
from pellucid.photo.metadata import JpegCoding, quiet
from pellucid.photo.photo import Photo
from pellucid.photo.raster import Raster, photo_from_raster, raster_around, raster_from_image
from pellucid.untrusted import printable

# Pillow's readers are called by name: Image.open would offer the file to all of them (some start
# other programs) and compare it with a process-wide pixel limit instead of ours.
_OPENERS = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_HEADS = {
    b"\xff\xd8\xff": "JPEG",
    png.SIGNATURE: "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# Code points of ITU-T H.273 that are sRGB, near enough to be shown as it, or unspecified.
_SRGB_PRIMARIES = {b"\0\1", b"\0\2"}
_SRGB_TRANSFER = {b"\0\1", b"\0\2", b"\0\6", b"\0\x0d"}
READABLE = "JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF, BMP or camera RAW"


def read_photo(
    source: str | Path | bytes | BinaryIO, *, limits: ReadLimits = DEFAULT_LIMITS
) -> Photo:
    """Read a photo from a path, from bytes or from a binary stream.

    Pixels come upright, at the depth of the file (8 or 16 bits a channel), in its own RGB. Of
    several frames or pages the first is read. Print colours (CMYK, Lab) and profiles made of
    look-up tables are converted to sRGB. What is left out or converted is in ``Photo.notes``.
    Raises PhotoError, with one line that names the file and the remedy, for everything else.
    """
    name, suffix, data = _load(source, limits)
    kind = _kind(data, suffix, name)
    try:
        raster = _decode(data, kind, name, limits)
        _note_unread_colour(raster, data, kind)
        return photo_from_raster(raster, name, kind)
    except PhotoError:
        raise
    except MemoryError as error:
        raise PhotoError(f"{name}: there is not enough memory for it; make it smaller") from error
    except Exception as error:  # decoders of damaged files raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(
            f"{name}: the {kind} data is damaged or cut short ({reason}); get a fresh copy"
        ) from error


def named(content: bytes, name: str) -> io.BytesIO:
    """Return a stream of a file's bytes that errors and formats know by this name."""
    stream = io.BytesIO(content)
    stream.name = name
    return stream


def _load(source: str | Path | bytes | BinaryIO, limits: ReadLimits) -> tuple[str, str, bytes]:
    """Return a printable name, the name's suffix and the content."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, suffix, data = "<bytes>", "", bytes(source)
    elif isinstance(source, str | Path):
        name, suffix = printable(str(source)), Path(source).suffix
        data = _load_file(source, name, limits)
    else:
        name = getattr(source, "name", None)
        name = printable(name) if isinstance(name, str) else "<stream>"
        suffix, data = Path(name).suffix, _load_stream(source, name, limits)
    limits.check_bytes(name, len(data))
    return name, suffix, data


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for a writer


def _load_file(path: str | Path, name: str, limits: ReadLimits) -> bytes:
    try:
        with io.FileIO(path, opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoError(f"{name}: not a regular file; give the path of a photo")
            limits.check_bytes(name, status.st_size)
            return file.readall()
    except IsADirectoryError as error:
        raise PhotoError(f"{name}: is a folder; give the path of a photo in it") from error
    except FileNotFoundError as error:
        raise PhotoError(f"{name}: there is no such file; check the path") from error
    except PermissionError as error:
        raise PhotoError(f"{name}: no permission to read it; check its access rights") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PhotoError(f"{name}: cannot be opened ({reason}); check the path") from error


def _load_stream(stream: BinaryIO, name: str, limits: ReadLimits) -> bytes:
    try:
        data = stream.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:
        raise PhotoError(f"{name}: cannot be read ({error}); check the stream") from error
    if not isinstance(data, bytes):
        raise PhotoError(f"{name}: the stream gives text; open it in binary mode")
    return data


def _kind(data: bytes, suffix: str, name: str) -> str:
    """Tell the format by the first bytes; names may lie, except for RAW, which looks like TIFF."""
    if formats.is_raw(data, suffix):
        return "RAW"
    for head, kind in _HEADS.items():
        if data.startswith(head):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    brands = data[8:64] if data[4:8] == b"ftyp" else b""
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    if brands[:4] in _HEIF_BRANDS:
        return "HEIF"
    raise PhotoError(f"{name}: not a photo that can be read; convert it to {READABLE}")


def _decode(data: bytes, kind: str, name: str, limits: ReadLimits) -> Raster:
    if kind == "HEIF":
        return formats.read_heif(data, name, limits)
    if kind == "RAW":
        return formats.read_raw(data, name, limits)
    if kind == "PNG":
        for _ in png.chunks(data):  # Pillow does not check the sums of the pixels
            pass
    if kind == "JPEG" and (passes := jpeg.count_passes(data)) > jpeg.MOST_PASSES:
        raise PhotoError(
            f"{name}: a JPEG of {passes:,} passes, which would take hours; save it anew"
        )
    image = _open(data, kind, name)
    limits.check_pixels(name, *image.size)
    raster = _decode_pillow(image, data, kind, name, limits)
    with quiet():
        count = getattr(image, "n_frames", 1)
    if count > 1:
        raster.notes.append(f"it holds {count} pictures; the first was used")
    return raster


def _open(data: bytes, kind: str, name: str) -> Image.Image:
    try:
        with quiet():
            return _OPENERS[kind](io.BytesIO(data), name)
    except SyntaxError as error:
        if "unknown pixel mode" not in str(error):
            raise
        raise PhotoError(
            f"{name}: this kind of {kind} is not supported; save it as RGB with 8 or 16 bits"
        ) from error


def _decode_pillow(
    image: Image.Image, data: bytes, kind: str, name: str, limits: ReadLimits
) -> Raster:
    codes = _deep_codes(image, data, kind, name, limits)
    if codes is not None:
        if kind == "PNG":
            _take_late_exif(image, data)
        return raster_around(image, codes)
    with quiet() if kind == "TIFF" else nullcontext():  # loading a TIFF parses its tags
        image.load()
    raster = raster_from_image(image, name)
    if kind == "JPEG":
        raster.jpeg = _jpeg_coding(image)
    elif kind == "TIFF":
        raster.codes = _repair_grey_tiff(image, raster.codes)
    return raster


def _deep_codes(
    image: Image.Image, data: bytes, kind: str, name: str, limits: ReadLimits
) -> np.ndarray | None:
    """Decode what Pillow would reduce to 8 bits; None where it does not."""
    if kind == "PNG" and png.is_16_bit(data):
        return png.decode(data)
    if kind == "AVIF" and formats.avif_bits(data) > 8:
        return formats.read_deep_avif(data, name)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _is_deep_colour(image):
        return formats.read_deep_tiff(data, name, limits)
    return None


def _is_deep_colour(image: TiffImagePlugin.TiffImageFile) -> bool:
    bits = image.tag_v2.get(258, (1,))
    return len(bits) > 1 and max(bits) > 8


def _take_late_exif(image: Image.Image, data: bytes) -> None:
    """Give a PNG the EXIF behind its pixels, which Pillow reads only when it decodes them."""
    if "exif" not in image.info:
        for chunk, content in png.chunks(data):
            if chunk == b"eXIf":
                image.info["exif"] = bytes(content)


def _note_unread_colour(raster: Raster, data: bytes, kind: str) -> None:
    """Say so where a file declares its colours in a way other than a profile or sRGB."""
    if raster.icc:
        return
    if kind == "PNG":
        gamma = next((bytes(c) for name, c in png.chunks(data) if name == b"gAMA"), b"")
        declared = len(gamma) == 4 and abs(int.from_bytes(gamma, "big") - 45455) > 2000
    else:
        at = data.find(b"colrnclx") if kind in {"HEIF", "AVIF"} else -1
        primaries, transfer = data[at + 8 : at + 10], data[at + 10 : at + 12]
        declared = at >= 0 and not (primaries in _SRGB_PRIMARIES and transfer in _SRGB_TRANSFER)
    if declared:
        raster.notes.append("it declares colours other than sRGB without a profile: read as sRGB")


def _jpeg_coding(image: Image.Image) -> JpegCoding | None:
    tables = getattr(image, "quantization", None)
    if not tables:
        return None
    return JpegCoding(
        tables={number: list(table) for number, table in tables.items()},
        subsampling=JpegImagePlugin.get_sampling(image),
    )


def _repair_grey_tiff(image: Image.Image, codes: np.ndarray) -> np.ndarray:
    """Finish what Pillow leaves undone for deep grey: the depth of 12 bits and white as zero."""
    if codes.dtype != np.uint16 or not isinstance(image, TiffImagePlugin.TiffImageFile):
        return codes
    if image.tag_v2.get(258, (16,))[0] == 12:
        codes = formats.stretch(codes, 12)
    return 65535 - codes if image.tag_v2.get(262) == 0 else codes
