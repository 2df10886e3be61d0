"""The photos that mixtures are made of: decoded once into one file, then mapped into memory.

Expects a folder with `captions.jsonl`, one object a line with `file` (relative to the folder),
`split`, `src`, `captions` and optionally `phrase`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pellucid.errors import DataError, PhotoError
from pellucid.evaluation.images import read_image
from pellucid.files import appearing_whole
from pellucid.untrusted import parse_json

SHORT_SIDE = 256


@dataclass(frozen=True)
class CaptionedPhoto:
    """One line of captions.jsonl."""

    file: str
    source: str
    captions: tuple[str, ...]
    phrase: str | None


def read_captions(folder: Path, split: str) -> list[CaptionedPhoto]:
    """Read the photos of one split.

    Raises:
        DataError: the file is missing or damaged, or has no photo of this split.
    """
    path = folder / "captions.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: not found; a photo folder needs a captions.jsonl")
    try:
        rows = [parse_json(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        photos = [
            CaptionedPhoto(row["file"], row["src"], tuple(row["captions"]), row.get("phrase"))
            for row in rows
            if row["split"] == split
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: not a list of photos ({error!r}); each line is an object with file, split, "
            "src and captions"
        ) from error
    if not photos:
        raise DataError(f"{path}: no photo of split {split!r}")
    return photos


class PhotoStore:
    """Decoded photos of one split, short side at most 256, one memory map.

    The first use decodes every photo into `cache` (about 1.3 GB for 6,000 photos); later uses map
    the file. The cache's name carries a digest of the list of photos.
    """

    def __init__(self, folder: Path, split: str, cache: Path) -> None:
        self.photos = read_captions(folder, split)
        names = "\n".join(photo.file for photo in self.photos)
        digest = hashlib.sha256(names.encode()).hexdigest()[:12]
        stem = cache / f"{split}-{digest}"
        if not stem.with_suffix(".index.npy").exists():
            cache.mkdir(parents=True, exist_ok=True)
            _decode_all(folder, self.photos, stem)
        self.index: NDArray[np.int64] = np.load(stem.with_suffix(".index.npy"))
        self.pixels = np.memmap(stem.with_suffix(".u8"), dtype=np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self.photos)

    def crop(
        self, number: int, box: tuple[float, float, float], size: int, averaged: bool = False
    ) -> NDArray[np.uint8]:
        """Cut a square from a photo and resize it.

        Args:
            number: Of the photo.
            box: Side of the square relative to the short side, then its place across and down the
                room that is left, all in [0, 1].
            size: Side of the result, in pixels.
            averaged: Average areas instead of interpolating bicubically.

        Returns:
            (size, size, 3) sRGB values.
        """
        offset, height, width = self.index[number].tolist()
        pixels = self.pixels[offset : offset + height * width * 3].reshape(height, width, 3)
        side = max(16.0, box[0] * min(height, width))
        left, top = box[1] * (width - side), box[2] * (height - side)
        image = Image.fromarray(pixels)
        filtering = Image.Resampling.BOX if averaged else Image.Resampling.BICUBIC
        cut = image.resize((size, size), filtering, (left, top, left + side, top + side))
        return np.asarray(cut)


def _decode_all(folder: Path, photos: list[CaptionedPhoto], stem: Path) -> None:
    index = np.zeros((len(photos), 3), np.int64)
    offset = 0
    with appearing_whole(stem.with_suffix(".u8")) as partial, partial.open("wb") as file:
        for number, photo in enumerate(photos):
            pixels = _decode(folder / photo.file)
            index[number] = (offset, *pixels.shape[:2])
            file.write(pixels.tobytes())
            offset += pixels.size
    with appearing_whole(stem.with_suffix(".index.npy")) as partial, partial.open("wb") as file:
        np.save(file, index)


def _decode(path: Path) -> NDArray[np.uint8]:
    try:
        rgb = Image.fromarray(read_image(path))
    except PhotoError as error:
        raise DataError(f"{error}; or remove it from the list") from error
    scale = SHORT_SIDE / min(rgb.size)
    if scale < 1.0:
        size = (round(rgb.width * scale), round(rgb.height * scale))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(rgb)
