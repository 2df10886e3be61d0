"""Turn a photo into the bytes of a format, with everything that format can carry."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from pellucid.errors import PhotoError
from pellucid.photo import formats, png, tiff
from pellucid.photo.metadata import JpegCoding, Metadata, load_exif
from pellucid.photo.photo import Codes, Photo, to_eight_bits

DEEP = {"PNG", "TIFF"}
_DEFAULT_QUALITY = 95
_MAX_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 65_536, "HEIF": 16_384}
_MAX_JPEG_SEGMENT = 65_000
# A luminance table of the IJG encoder at quality 90 sums to 736: coarser sources are not imitated.
_FINE_TABLE_SUM = 740


@dataclass(frozen=True)
class WriteOptions:
    """How a photo is written.

    ``quality`` (1 to 100) is for JPEG, WebP, AVIF and HEIC. None means 95 and colour at full
    resolution, except that a JPEG made from a fine JPEG keeps that file's own tables and
    subsampling. ``keep_metadata=False`` leaves out everything but the colour profile,
    ``keep_gps=False`` only coordinates (with the maker's note, which may repeat them).
    """

    quality: int | None = None
    keep_metadata: bool = True
    keep_gps: bool = True

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise PhotoError(f"quality {self.quality} is outside 1 to 100; choose one inside")


def encode_photo(
    photo: Photo, kind: str, name: str, options: WriteOptions
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a photo in the format ``kind``, and what it could not hold."""
    limit = _MAX_SIDE.get(kind)
    if limit and max(photo.size) > limit:
        raise PhotoError(f"{name}: {kind} ends at {limit:,} pixels a side; write PNG or TIFF")
    metadata = photo.metadata if options.keep_metadata else photo.metadata.without_personal()
    notes: list[str] = []
    if not options.keep_gps:
        before, metadata = metadata, metadata.without_gps()
        if before.xmp and not metadata.xmp:
            notes.append(
                "its XMP block could not be cleared of coordinates with certainty: left out"
            )
    if kind not in DEEP and photo.depth == 16:
        notes.append(f"{kind} holds fewer than 16 bits a channel: reduced")
    try:
        job = _Job(_in_writable_colour(photo), metadata, options.quality, name, notes)
        return _WRITERS[kind](job), tuple(notes)
    except PhotoError:
        raise
    except Exception as error:
        raise PhotoError(
            f"{name}: {kind} cannot hold this photo ({error}); write PNG or TIFF"
        ) from error


@dataclass
class _Job:
    """What a writer needs, and the notes it leaves."""

    photo: Photo
    metadata: Metadata
    quality: int | None
    name: str
    notes: list[str]

    @property
    def icc(self) -> bytes | None:
        return self.photo.profile.icc

    def codes(self, *, grey: bool = True) -> Codes:
        """Return (H, W, channels) in the file's order, alpha last."""
        photo = self.photo
        parts = [photo.pixels[..., :1] if grey and photo.is_grey() else photo.pixels]
        if photo.alpha is not None:
            parts.append(photo.alpha[..., None])
        return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def image(self) -> Image.Image:
        """Return the photo as an 8-bit Pillow image."""
        codes = to_eight_bits(self.codes())
        return Image.fromarray(
            np.ascontiguousarray(codes[..., 0] if codes.shape[2] == 1 else codes)
        )

    def blocks(self, limit: int | None = None) -> dict[str, Any]:
        """Return EXIF, XMP and profile as arguments of Pillow's writers."""
        blocks = {"exif": self.metadata.exif, "xmp": self.metadata.xmp}
        for kind, block in blocks.items():
            if block and limit and len(block) > limit:
                self.notes.append(f"its {kind.upper()} block is too large for the format: left out")
                blocks[kind] = None
        return {k: v for k, v in {**blocks, "icc_profile": self.icc}.items() if v}


def _in_writable_colour(photo: Photo) -> Photo:
    """Move coloured pixels under a one-channel profile, which cannot describe them, to sRGB."""
    return photo.in_srgb() if photo.profile.grey and not photo.is_grey() else photo


def _jpeg(job: _Job) -> bytes:
    alpha = job.photo.alpha
    if alpha is not None:
        if (alpha != np.iinfo(alpha.dtype).max).any():
            raise PhotoError(f"{job.name}: JPEG has no transparency; write PNG, WebP or TIFF")
        job = replace(job, photo=replace(job.photo, alpha=None))
    image = job.image()
    how: dict[str, Any] = {"quality": job.quality or _DEFAULT_QUALITY, "subsampling": 0}
    source = job.metadata.jpeg
    if job.quality is None and source is not None and _is_fine(source, image.mode):
        kept = source.subsampling if source.subsampling in (0, 2) else 0
        how = {"qtables": [source.tables[n] for n in sorted(source.tables)], "subsampling": kept}
    if job.metadata.dpi:
        how["dpi"] = tuple(round(value) for value in job.metadata.dpi)
    return _save(image, "JPEG", **how, **job.blocks(_MAX_JPEG_SEGMENT))


def _is_fine(source: JpegCoding, mode: str) -> bool:
    enough = len(source.tables) >= (1 if mode == "L" else 2)
    return enough and sum(source.tables[min(source.tables)]) <= _FINE_TABLE_SUM


def _png(job: _Job) -> bytes:
    blocks, dpi = job.blocks(), job.metadata.dpi
    codes = job.codes()
    if codes.dtype == np.uint16:
        return png.encode(codes, png.metadata_chunks(**blocks, dpi=dpi))
    text = PngImagePlugin.PngInfo()
    if xmp := blocks.pop("xmp", None):
        text.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8"))
    if dpi:
        blocks["dpi"] = dpi
    return _save(job.image(), "PNG", pnginfo=text, **blocks)


def _tiff(job: _Job) -> bytes:
    codes = job.codes(grey=job.photo.alpha is None)  # Pillow reads no grey TIFF with alpha
    exif = load_exif(job.metadata.exif)
    return tiff.encode(codes, exif, icc=job.icc, xmp=job.metadata.xmp, dpi=job.metadata.dpi)


def _webp(job: _Job) -> bytes:
    quality = job.quality or _DEFAULT_QUALITY
    return _save(job.image(), "WEBP", quality=quality, method=4, exact=True, **job.blocks())


def _avif(job: _Job) -> bytes:
    quality = job.quality or _DEFAULT_QUALITY
    _note_soft_alpha(job, "AVIF")
    return _save(job.image(), "AVIF", quality=quality, subsampling="4:4:4", **job.blocks())


def _heif(job: _Job) -> bytes:
    _note_soft_alpha(job, "HEIC")
    codes = job.codes(grey=job.photo.alpha is None)
    return formats.heif_bytes(
        codes, job.name, quality=job.quality or _DEFAULT_QUALITY, **job.blocks()
    )


def _note_soft_alpha(job: _Job, kind: str) -> None:
    if job.photo.alpha is not None:
        job.notes.append(f"{kind} keeps transparency only approximately")


def _save(image: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **how)
    return out.getvalue()


_WRITERS: dict[str, Callable[[_Job], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIF": _heif,
}


WRITABLE = frozenset(_WRITERS)
