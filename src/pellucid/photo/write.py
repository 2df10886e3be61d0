"""Write a whole photo to a file, which appears complete or not at all, or to a stream."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from pellucid.errors import PhotoError
from pellucid.photo.encode import DEEP, WRITABLE, WriteOptions, encode_photo
from pellucid.photo.photo import Photo
from pellucid.untrusted import printable

SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
"""A name's suffix → Pillow's name of the format; the usual one of a format comes first."""

_DEFAULT_OPTIONS = WriteOptions()


def format_for(photo: Photo) -> str:
    """Return the format a photo goes back to: its own where it loses nothing, else PNG or TIFF."""
    if photo.source_format == "RAW":
        return "TIFF"
    own = photo.source_format
    keeps_depth = photo.depth == 8 or own in DEEP or own == "HEIF"  # HEIC came with 10 bits
    return own if own in WRITABLE and keeps_depth else "PNG"


def suffix_for(photo: Photo) -> str:
    """Return the usual file name suffix of :func:`format_for`: ".jpg", ".png", ".tif", ..."""
    wanted = format_for(photo)
    return next(suffix for suffix, name in SUFFIXES.items() if name == wanted)


def write_photo(
    photo: Photo,
    target: str | Path | BinaryIO,
    *,
    format: str | None = None,
    options: WriteOptions = _DEFAULT_OPTIONS,
) -> tuple[str, ...]:
    """Write a photo to a path or a binary stream; return what the format could not hold.

    ``format`` is a name ("jpeg", "PNG", "tif", ...); without it a path's suffix decides, and a
    stream gets :func:`format_for`. A file appears whole or not at all: it is written under another
    name in the same folder and then renamed. Raises PhotoError.
    """
    if isinstance(target, str | Path):
        path = Path(target)
        name = printable(str(path))
        _check_target(path, name)
        data, notes = encode_photo(photo, _format(format or path.suffix, name), name, options)
        replace_file(path, data, name)
        return notes
    name = getattr(target, "name", None)
    name = printable(name) if isinstance(name, str) else "<stream>"
    kind = _format(format, name) if format else format_for(photo)
    data, notes = encode_photo(photo, kind, name, options)
    try:
        target.write(data)
    except (OSError, ValueError, TypeError) as error:
        raise PhotoError(f"{name}: cannot be written ({error}); check the stream") from error
    return notes


def _format(wanted: str, name: str) -> str:
    key = "." + wanted.lower().lstrip(".")
    kind = SUFFIXES.get(key) or (wanted.upper() if wanted.upper() in WRITABLE else None)
    if kind is None:
        known = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        what = f"cannot write the format {wanted!r}" if wanted else "the name has no suffix"
        raise PhotoError(f"{name}: {what}; choose one of {known}")
    return kind


def _check_target(path: Path, name: str) -> None:
    try:
        if path.is_dir():
            raise PhotoError(f"{name}: is a folder; give the name of a file in it")
        if path.exists() and not path.is_file():
            raise PhotoError(f"{name}: not a regular file; write to another name or a stream")
        if Path(os.path.realpath(path)).is_symlink():
            raise PhotoError(f"{name}: is a link to itself; write to another name")
        if not path.parent.is_dir():
            raise PhotoError(f"{name}: its folder does not exist; create it first")
    except (OSError, ValueError) as error:
        raise PhotoError(f"{name}: not a usable name ({error}); choose another") from error


def replace_file(path: Path, data: bytes, name: str) -> None:
    """Write under a temporary name beside the target, then rename; the old file stays till then."""
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".pellucid-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(
            f"{name}: cannot be written ({reason}); check the folder's rights and free space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
