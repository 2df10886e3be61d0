"""Mixtures of known photos, made in linear light by three fixed recipes, for checking a separator.

- symmetric: M = A/2 + B/2. Nothing but words can say which photo is the transmission.
- strong: M = clip(a·A + b·B), a from [0.6, 0.8], b from [0.5, 0.7], no blur.
- none: M = A; there is no reflection to find. Soft: A is blurred by a Gaussian of one pixel, as
  a photo out of focus or much enlarged is, since softness is no sign of a reflection either.

A and B are the middle 224×224 pixels of photos at short side 224, from different sources. All
draws follow from a seed and the mixture's number alone. These mixtures measure a separator; no
separator should be trained on their photos.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageFilter, ImageOps

from pellucid.errors import DataError
from pellucid.evaluation.images import Image8, from_light, read_image, to_8bit, to_light
from pellucid.evaluation.pairs import Descriptions
from pellucid.evaluation.protocol import Sample
from pellucid.untrusted import parse_json

SIDE = 224
SOFTNESS = 1.0
"""Sigma of the blur of a soft photo, in pixels."""
SQUEEZED = "flickr8k_224"
"""A source whose photos were squeezed to squares: good for training, poor for measuring."""


@dataclass(frozen=True)
class Captioned:
    """A photo of the validation split and what it shows."""

    file: Path
    source: str
    caption: str


def read_validation_photos(folder: Path) -> list[Captioned]:
    """Read `captions.jsonl` of a folder: photos of the split "val" with their first caption.

    Raises `DataError` if the list is missing, malformed, or names fewer than two sources.
    """
    listed = folder / "captions.jsonl"
    if not listed.is_file():
        raise DataError(f"{folder}: no captions.jsonl there")
    photos = []
    for number, line in enumerate(_lines(listed), 1):
        try:
            entry = parse_json(line)
            if entry["split"] == "val" and entry["src"] != SQUEEZED:
                photos.append(Captioned(folder / entry["file"], entry["src"], entry["captions"][0]))
        except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
            raise DataError(f"{listed}, line {number}: {error!r}") from error
    if len({photo.source for photo in photos}) < 2:
        raise DataError(f"{listed}: mixtures need validation photos of at least two sources")
    return photos


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error


def symmetric_mixture(photos: Sequence[Captioned], seed: int, number: int) -> Sample:
    """Return mixture `number` of the symmetric recipe."""
    rng = np.random.default_rng((seed, 1, number))
    behind, mirrored = _draw_two(photos, rng)
    return _mix(f"symmetric-{number}", behind, mirrored, 0.5, 0.5)


def strong_mixture(photos: Sequence[Captioned], seed: int, number: int) -> Sample:
    """Return mixture `number` of the strong, sharp recipe."""
    rng = np.random.default_rng((seed, 2, number))
    behind, mirrored = _draw_two(photos, rng)
    return _mix(f"strong-{number}", behind, mirrored, rng.uniform(0.6, 0.8), rng.uniform(0.5, 0.7))


def plain_photo(photos: Sequence[Captioned], number: int) -> Sample:
    """Return photo `number` as a mixture without a reflection."""
    photo = photos[number]
    image = _load(photo)
    words = Descriptions(transmission=photo.caption)
    return Sample(f"plain-{number}", image, image, np.zeros_like(image), words)


def soft_photo(plain: Sample) -> Sample:
    """Return a photo without a reflection, out of focus."""
    sharp = PillowImage.fromarray(plain.mixture)
    image = np.asarray(sharp.filter(ImageFilter.GaussianBlur(SOFTNESS)), np.uint8)
    return replace(plain, name=f"soft-{plain.name}", mixture=image, transmission=image)


def _draw_two(photos: Sequence[Captioned], rng: np.random.Generator) -> tuple[Captioned, Captioned]:
    behind = photos[int(rng.integers(len(photos)))]
    others = [photo for photo in photos if photo.source != behind.source]
    return behind, others[int(rng.integers(len(others)))]


def _mix(name: str, behind: Captioned, mirrored: Captioned, a: float, b: float) -> Sample:
    transmission = a * to_light(_load(behind))
    reflection = b * to_light(_load(mirrored))
    return Sample(
        name=name,
        mixture=_save(transmission + reflection),
        transmission=_save(transmission),
        reflection=_save(reflection),
        words=Descriptions(behind.caption, mirrored.caption),
    )


def _save(light: NDArray[np.floating]) -> Image8:
    return to_8bit(from_light(light))


def _load(photo: Captioned) -> Image8:
    whole = PillowImage.fromarray(read_image(photo.file))
    square = ImageOps.fit(whole, (SIDE, SIDE), PillowImage.Resampling.BICUBIC)
    return np.asarray(square, np.uint8)
