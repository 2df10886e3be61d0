"""Which photo is mirrored before the one behind the glass, and whose words are wrong for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.errors import DataError
from pellucid.training.photos import CaptionedPhoto
from pellucid.training.texts import meaning

MOST_ATTEMPTS = 1000
"""Draws for a photo of another source, after which any source will do."""

CANDIDATES = 16
"""Photos among which one with alike words, or one taken outdoors, is looked for."""

# fmt: off
OUTDOORS = frozenset((
    "sky", "cloud", "clouds", "sunset", "tree", "trees", "forest", "park", "beach", "mountain",
    "mountains", "lake", "suburban", "building", "buildings", "tower", "church", "palace",
    "castle", "bridge", "street", "road", "city",
))
# fmt: on


@dataclass(frozen=True)
class PartnerConfig:
    """Which photo is mirrored before the one behind the glass; else any photo is."""

    alike: float = 0.0
    """Probability that its words are the nearest of several photos' to those of the photo behind
    the glass, so that words of one layer also fit things in the other, as in real pairs."""
    outdoors: float = 0.0
    """Probability that its captions speak of sky, trees, buildings and the like: what windows
    mirror in most real pairs."""


class Partners:
    """Draws other photos for a photo; all are called by their numbers."""

    def __init__(self, photos: Sequence[CaptionedPhoto], config: PartnerConfig) -> None:
        """Raises DataError if no two photos have different first captions."""
        if len({photo.captions[:1] for photo in photos}) < 2:
            raise DataError("mixtures need photos of at least two different captions")
        self._photos = photos
        self._config = config

    def another(self, number: int, random: np.random.Generator) -> int:
        """Draw another photo: half of the time of another source, never of the same caption.

        Photos that are all of one source are mixed among themselves.
        """
        one = self._photos[number]
        other_source = random.random() < 0.5
        attempts = 0
        while True:
            attempts += 1
            partner = int(random.integers(len(self._photos)))
            other = self._photos[partner]
            if other_source and other.source == one.source and attempts < MOST_ATTEMPTS:
                continue
            if other.captions[0] != one.captions[0]:
                return partner

    def mirrored(self, number: int, random: np.random.Generator) -> int:
        """Draw what is mirrored before this photo."""
        alike, outdoors = self._config.alike, self._config.outdoors
        chance = random.random() if alike + outdoors > 0.0 else 1.0
        if chance >= alike + outdoors:
            return self.another(number, random)
        candidates = [self.another(number, random) for _ in range(CANDIDATES)]
        if chance < alike:
            own = self._meaning(number)
            return max(candidates, key=lambda other: own @ self._meaning(other))
        return next(filter(self._is_outdoors, candidates), candidates[0])

    def _meaning(self, number: int) -> np.ndarray:
        return meaning(self._photos[number].captions[0])

    def _is_outdoors(self, number: int) -> bool:
        words = " ".join(self._photos[number].captions).lower().replace(",", " ").split()
        return not OUTDOORS.isdisjoint(words)
