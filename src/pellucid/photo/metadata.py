"""EXIF, XMP and resolution: carried along, made upright, and freed of places on demand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import RLock
from warnings import catch_warnings, simplefilter

from PIL import ExifTags, Image

_ORIENTATION = ExifTags.Base.Orientation
_EXIF_IFD = ExifTags.IFD.Exif
_WARNINGS_LOCK = RLock()


@dataclass(frozen=True)
class JpegCoding:
    """How a JPEG was coded: its quantisation tables and Pillow's number of its subsampling."""

    tables: dict[int, list[int]]
    subsampling: int


@dataclass(frozen=True)
class Metadata:
    """What a photo carries besides its pixels and its colour profile.

    ``exif`` is a TIFF structure behind the word Exif, with orientation 1; ``xmp`` a packet of
    UTF-8; ``dpi`` the resolution across and down; ``jpeg`` the coding of the source. IPTC-IIM and
    Photoshop blocks are not carried (XMP usually repeats them).
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    jpeg: JpegCoding | None = None

    def without_gps(self) -> Metadata:
        """Drop coordinates, and the maker's note, which may hide some in a private format."""
        return replace(self, exif=_exif_without_gps(self.exif), xmp=_xmp_without_gps(self.xmp))

    def without_personal(self) -> Metadata:
        """Keep only how the source was coded."""
        return Metadata(jpeg=self.jpeg)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings; one thread at a time, since the filters are global."""
    with _WARNINGS_LOCK, catch_warnings():
        simplefilter("ignore")
        yield


def orientation_of(exif: Image.Exif) -> int:
    """Return the EXIF orientation, 1 to 8; anything else counts as upright."""
    value = exif.get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def load_exif(data: bytes | None) -> Image.Exif:
    """Parse an EXIF block; None or damaged bytes give an empty one."""
    exif = Image.Exif()
    try:
        with quiet():
            exif.load(data or b"")
    except Exception:  # hostile tags fail in many ways, and no tag is worth the photo
        return Image.Exif()
    return exif


def upright_exif(exif: Image.Exif, size: tuple[int, int]) -> bytes | None:
    """Serialise ``exif`` for an upright picture of ``size`` (width, height).

    The orientation becomes 1, recorded sizes are those of the upright picture, and tags that
    describe how the source file stored its samples go, as does the thumbnail of the original.
    """
    with quiet():
        for tag in [tag for tag in exif if _describes_storage(tag)]:
            del exif[tag]
        if not exif:
            return None
        exif[_ORIENTATION] = 1
        photo = exif.get_ifd(_EXIF_IFD) if _EXIF_IFD in exif else {}
        if ExifTags.Base.ExifImageWidth in photo:
            photo[ExifTags.Base.ExifImageWidth] = size[0]
        if ExifTags.Base.ExifImageHeight in photo:
            photo[ExifTags.Base.ExifImageHeight] = size[1]
        if ExifTags.IFD.GPSInfo in exif:
            exif.get_ifd(ExifTags.IFD.GPSInfo)
        exif.bigtiff = False  # all is read: EXIF outside a BigTIFF has the classic layout
        return exif.tobytes()


def _describes_storage(tag: int) -> bool:
    """Whether a tag of the first IFD belongs to the file's layout and not to the photo."""
    return (
        254 <= tag <= 266  # size, depth, compression, photometric
        or tag in {273, 277, 278, 279, 280, 281, 284, 317, 320, 347}  # strips, colour map
        or 288 <= tag <= 293
        or 321 <= tag <= 345  # tiles, sub-IFDs, inks, sample format
        or 512 <= tag <= 532  # JPEG tables, YCbCr coding
        or tag in {700, 33723, 34377, 34675, 37724}  # XMP, IPTC, Photoshop, ICC
        or tag in {33421, 33422}  # pattern of the sensor's colours
        or 50706 <= tag <= 52600  # DNG
    )


def upright_xmp(xmp: bytes | None) -> bytes | None:
    """Set ``tiff:Orientation`` to 1; a packet that cannot be edited with certainty is dropped."""
    if not xmp or not _is_utf8(xmp):
        return None
    name = _prefix(xmp, b"http://ns.adobe.com/tiff/1.0/", b"tiff") + b":Orientation"
    xmp = re.sub(rb"(" + name + rb"\s*=\s*[\"'])[^\"']*", rb"\g<1>1", xmp)
    return re.sub(rb"(<" + name + rb"\s*>)[^<]*", rb"\g<1>1", xmp)


def _exif_without_gps(data: bytes | None) -> bytes | None:
    if not data:
        return None
    exif = load_exif(data)
    with quiet():
        exif.pop(ExifTags.IFD.GPSInfo, None)
        if _EXIF_IFD in exif:
            exif.get_ifd(_EXIF_IFD).pop(ExifTags.IFD.MakerNote, None)
        return exif.tobytes()


def _xmp_without_gps(xmp: bytes | None) -> bytes | None:
    if not xmp or not _is_utf8(xmp):
        return None
    name = _prefix(xmp, b"http://ns.adobe.com/exif/1.0/", b"exif") + rb":GPS\w*"
    xmp = re.sub(rb"\s" + name + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", b"", xmp)
    # Up to the next tag only: a search for the closing one would take hours over a packet of
    # thousands that are never closed. A place with tags inside stays, and the packet is dropped.
    xmp = re.sub(rb"<(" + name + rb")(\s[^<>]*)?(/>|>[^<]*</\1\s*>)", b"", xmp)
    return None if b"gps" in xmp.lower() else xmp


def _is_utf8(xmp: bytes) -> bool:
    try:
        xmp.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in xmp


def _prefix(xmp: bytes, namespace: bytes, usual: bytes) -> bytes:
    """Return the prefix that the packet binds to ``namespace``."""
    found = re.search(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(namespace), xmp)
    return re.escape(found[1]) if found else usual


def clean_dpi(value: object) -> tuple[float, float] | None:
    """Return a resolution as two finite positive floats, or None."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    try:
        across, down = float(value[0]), float(value[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(math.isfinite(v) and 0 < v < 1e6 for v in (across, down))
    return (across, down) if usable else None
