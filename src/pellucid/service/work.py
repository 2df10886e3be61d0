"""What is done for one request, in a thread: photo in, previews or whole layers out."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from pellucid.errors import PhotoError
from pellucid.layer_files import Format, Layers, shown_by, target_suffix
from pellucid.photo import Photo, ReadLimits, WriteOptions, format_for, read_photo, write_photo
from pellucid.photo.read import named
from pellucid.region import read_region
from pellucid.separation import Separation
from pellucid.separator import Separator
from pellucid.service.desk import Ticket
from pellucid.service.previews import Preview, preview_of, reduced
from pellucid.upscaling import Layer

LONGEST_NAME = 80
"""Characters of a photo's name that its layers' names keep."""


@dataclass(frozen=True)
class Job:
    """One photo and its words."""

    photo: BinaryIO
    """Read when its turn comes: what waits is on disk."""
    name: str
    """As the client calls it; used in messages and for the names of the layers."""
    transmission: str = ""
    reflection: str = ""


@dataclass(frozen=True)
class Wish:
    """How whole layers are wanted."""

    layers: Layers = Layers.BOTH
    strength: float = 100
    format: Format | None = None
    keep_metadata: bool = False
    mask: BinaryIO | None = None


@dataclass(frozen=True)
class LayerFile:
    """An encoded layer."""

    name: str
    content: bytes


class Studio:
    """Does the work of requests with one model."""

    def __init__(self, separator: Separator, limits: ReadLimits) -> None:
        self._separator = separator
        self._limits = limits

    def preview(self, job: Job, ticket: Ticket) -> Preview:
        """Separate a photo at preview size.

        Raises:
            PellucidError: the photo or its words cannot be used.
        """
        photo = self._read(job)
        ticket.check()
        separation = self._separate(reduced(photo), job)
        ticket.check()
        return preview_of(separation, size=photo.size, notes=photo.notes + separation.notes)

    def layers(self, job: Job, wish: Wish, ticket: Ticket) -> list[LayerFile]:
        """Separate a photo at its own size and encode the layers wanted.

        Raises:
            PellucidError: the photo, its words or the mask cannot be used.
        """
        photo = self._read(job)
        ticket.check()
        separation = self._separate(photo, job)
        if wish.mask is not None:
            region = read_region(wish.mask.read(), photo.size, self._limits)
            separation = separation.within(region)
        files = []
        for layer in wish.layers.chosen:
            ticket.check()
            files.append(_encode(separation, layer, job.name, wish))
        return files

    def _read(self, job: Job) -> Photo:
        return read_photo(named(job.photo.read(), job.name), limits=self._limits)

    def _separate(self, photo: Photo, job: Job) -> Separation:
        return self._separator.separate(
            photo, transmission=job.transmission, reflection=job.reflection
        )


def _encode(separation: Separation, layer: Layer, name: str, wish: Wish) -> LayerFile:
    photo = shown_by(separation, layer, wish.strength)
    suffix = target_suffix(PurePath(name).suffix or f".{format_for(photo).lower()}", wish.format)
    file = f"{_stem(name)}.{layer}{suffix}"
    encoded = named(b"", file)
    options = WriteOptions(keep_metadata=wish.keep_metadata)
    try:
        write_photo(photo, encoded, format=suffix, options=options)
    except MemoryError as error:
        raise PhotoError(f"{name}: there is not enough memory for it; make it smaller") from error
    return LayerFile(file, encoded.getvalue())


def _stem(name: str) -> str:
    """Return a client's name for a file as one that no file system or header stumbles over."""
    stem = PurePath(name.replace("\\", "/")).stem
    stem = "".join(c for c in stem if c.isprintable() and c not in '<>:"/|?*')
    return unicodedata.normalize("NFC", stem).strip(". ")[:LONGEST_NAME] or "photo"


def zipped(files: list[LayerFile]) -> bytes:
    """Put layers into one archive; they are compressed already."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for file in files:
            # A fixed date: the same photo and words give the same archive.
            target.writestr(zipfile.ZipInfo(file.name), file.content)
    return archive.getvalue()
