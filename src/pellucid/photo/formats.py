"""Formats of the `formats` extra: HEIC, camera RAW, 16-bit TIFF and deep AVIF."""

from __future__ import annotations

import importlib
import io
import logging
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import PhotoError
from pellucid.photo.limits import ReadLimits
from pellucid.photo.metadata import load_exif
from pellucid.photo.raster import Raster, codes_from_floats

_RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf"),
    *(".srw", ".x3f"),
)
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_RAW_HEADS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")


def extra(module: str, name: str, purpose: str) -> Any:
    """Import a module of the `formats` extra; PhotoError with the remedy if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PhotoError(
            f"{name}: {purpose} needs the package {module}; pip install 'pellucid[formats]'"
        ) from error


def is_raw_suffix(suffix: str) -> bool:
    """Whether names with this suffix (".nef", ".CR2", ...) are those of a camera's RAW files."""
    return suffix.lower() in _RAW_SUFFIXES


def is_raw(data: bytes, suffix: str) -> bool:
    """Whether this is a camera's RAW file, by its name's suffix or by its content."""
    return (
        is_raw_suffix(suffix)
        or data.startswith(_RAW_HEADS)
        or data[4:12] == b"ftypcrx "
        or _is_raw_tiff(data)
    )


def _is_raw_tiff(data: bytes) -> bool:
    """Whether a TIFF is DNG or CR2, or opens with a mere preview of what its sub-IFDs hold."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 16:
        return False
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack(order + "H", data[at : at + 2].ljust(2, b"\0"))
    entries = data[at + 2 : at + 2 + 12 * count]
    entries = entries[: len(entries) // 12 * 12]
    tags = {tag: value for tag, _, _, value in struct.iter_unpack(order + "HHII", entries)}
    preview = tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags
    return data[8:10] == b"CR" or _DNG_VERSION in tags or preview


def stretch(codes: NDArray[np.unsignedinteger], bits: int) -> NDArray[np.uint16]:
    """Spread codes of ``bits`` bits over 16: white stays white, and no two codes meet."""
    wide = codes.astype(np.uint32) * 65535 + ((1 << bits) - 1) // 2
    return (wide // ((1 << bits) - 1)).astype(np.uint16)


def read_heif(data: bytes, name: str, limits: ReadLimits) -> Raster:
    """Decode HEIC at its own depth.

    The decoder applies the turn and mirror of the container, so EXIF's orientation, which only
    repeats them, is not applied again.
    """
    pillow_heif = extra("pillow_heif", name, "reading HEIC")
    heif = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    limits.check_pixels(name, *heif.size)
    codes = np.asarray(heif)
    if codes.dtype != np.uint8:
        bits = int(heif.info.get("bit_depth") or 16)
        codes = stretch((codes >> (16 - bits)).astype(np.uint16), bits)
    exif = load_exif(heif.info.get("exif"))
    exif.pop(0x0112, None)
    raster = Raster(
        codes=codes[..., None] if codes.ndim == 2 else codes,
        icc=heif.info.get("icc_profile") or None,
        exif=exif,
        xmp=heif.info.get("xmp") or None,
    )
    if len(heif) > 1:
        raster.notes.append(f"it holds {len(heif)} pictures; the main one was used")
    return raster


def heif_bytes(codes: NDArray[np.unsignedinteger], name: str, **parts: Any) -> bytes:
    """Encode (H, W, 1, 3 or 4) as HEIC, 8 or 10 bits deep, colour at full resolution."""
    pillow_heif = extra("pillow_heif", name, "writing HEIC")
    height, width, channels = codes.shape
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    mode += ";16" if codes.dtype == np.uint16 else ""
    out = io.BytesIO()
    pillow_heif.encode(mode, (width, height), codes.tobytes(), out, chroma=444, **parts)
    return out.getvalue()


def read_raw(data: bytes, name: str, limits: ReadLimits) -> Raster:
    """Develop a camera's RAW file to 16-bit sRGB with its own white balance, upright."""
    rawpy = extra("rawpy", name, "reading camera RAW")
    with rawpy.imread(io.BytesIO(data)) as raw:
        limits.check_pixels(name, raw.sizes.width, raw.sizes.height)
        codes = raw.postprocess(
            output_bps=16,
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=(2.4, 12.92),
            output_color=rawpy.ColorSpace.sRGB,
        )
    exif = load_exif(None)
    if data[:4] in (b"II*\0", b"MM\0*"):
        exif = load_exif(data)
        exif.pop(0x0112, None)
    return Raster(codes=codes, exif=exif, notes=["developed from camera RAW"])


def read_deep_tiff(data: bytes, name: str, limits: ReadLimits) -> NDArray[np.unsignedinteger]:
    """Decode the first page of a TIFF deeper than 8 bits to (H, W, channels), as stored."""
    tifffile = extra("tifffile", name, "reading 16-bit colour TIFF")
    logging.getLogger("tifffile").addHandler(logging.NullHandler())  # errors arrive as exceptions
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages[0]
        limits.check_pixels(name, page.imagewidth, page.imagelength)
        if page.photometric not in (1, 2) or page.axes not in ("YX", "YXS", "SYX"):
            raise PhotoError(f"{name}: this kind of TIFF is not supported; save it as RGB")
        codes = page.asarray()
        bits = int(np.max(page.bitspersample))
        premultiplied = 1 in page.extrasamples
    if page.axes == "SYX":
        codes = np.moveaxis(codes, 0, -1)
    codes = codes[..., None] if codes.ndim == 2 else codes
    if np.issubdtype(codes.dtype, np.floating):
        codes = codes_from_floats(codes, name)
    elif codes.dtype != np.uint16:
        raise PhotoError(f"{name}: {bits}-bit TIFF is not supported; save it with 8 or 16 bits")
    elif bits < 16:
        codes = stretch(codes, bits)
    if codes.shape[2] > 4:
        raise PhotoError(f"{name}: it has {codes.shape[2]} channels; save it as RGB or RGBA")
    return _unmultiplied(codes) if premultiplied else codes


def _unmultiplied(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    alpha = codes[..., -1:].astype(np.float64)
    colours = np.divide(
        codes[..., :-1] * 65535.0, alpha, where=alpha > 0, out=np.zeros(codes[..., :-1].shape)
    )
    return np.concatenate(
        [np.rint(colours.clip(0, 65535)).astype(np.uint16), codes[..., -1:]], axis=-1
    )


def avif_bits(data: bytes) -> int:
    """Return the depth an AVIF file declares (its first av1C box): 8, 10 or 12."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 + (2 if flags & 0x40 else 0) + (2 if flags & 0x20 else 0)


def read_deep_avif(data: bytes, name: str) -> NDArray[np.uint16]:
    """Decode AVIF of 10 or 12 bits to (H, W, channels), as stored."""
    imagecodecs = extra("imagecodecs", name, "reading AVIF deeper than 8 bits")
    codes = imagecodecs.avif_decode(data, index=0)
    codes = codes[..., None] if codes.ndim == 2 else codes
    return stretch(codes, avif_bits(data))
