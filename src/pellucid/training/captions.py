"""What is said of a layer during training: the right words, none, or another photo's.

Randomised training (paper §3, "recognizable layer ambiguity"): each layer's description is kept,
dropped or replaced on its own, so that the network works with both, one or none, and its language
gate learns to refuse words that belong to neither layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pellucid.training.photos import CaptionedPhoto

# fmt: off
FILLERS = frozenset((
    "a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "is", "are", "to", "from",
    "by", "for", "his", "her", "their", "its", "this", "that", "as", "it", "being", "be", "has",
    "have", "while", "into", "over", "through", "near", "next", "up", "down", "out", "off", "two",
    "three", "some", "there", "another", "other", "one", "who", "which", "he", "she", "they",
))
# fmt: on


class Fate(IntEnum):
    """What happens to the description of one layer."""

    KEPT = 0
    DROPPED = 1
    WRONG = 2


@dataclass(frozen=True)
class CaptionConfig:
    """How often each description is dropped or wrong, and how it is worded."""

    dropped: float = 0.25
    wrong: float = 0.12
    noun: float = 0.1
    """Probability of a single word of the caption instead of the whole."""
    template: float = 0.1
    """Probability that "a photo of" or the like is put before it."""


TEMPLATES = ("a photo of {}", "a picture of {}", "the {}", "there is {}", "it shows {}")


def draw_fates(config: CaptionConfig, random: np.random.Generator) -> tuple[Fate, Fate]:
    """Draw the fates of the transmission's and the reflection's description.

    The kind of mixture has no say: where strong reflections are described more often than weak
    ones, any words at all make a network take more away (docs/lab-notes.md).
    """
    odds = (1.0 - config.dropped - config.wrong, config.dropped, config.wrong)
    first, second = (Fate(int(fate)) for fate in random.choice(3, size=2, p=odds))
    return first, second


def draw_caption(photo: CaptionedPhoto, config: CaptionConfig, random: np.random.Generator) -> str:
    """Word one description of a photo: a sentence, a phrase or a single noun."""
    captions = photo.captions + ((photo.phrase,) if photo.phrase else ())
    caption = captions[int(random.integers(len(captions)))].strip().rstrip(".").lower()
    if random.random() < config.noun:
        caption = _one_word(caption, random)
    if random.random() < config.template:
        caption = TEMPLATES[int(random.integers(len(TEMPLATES)))].format(caption)
    return caption


def _one_word(caption: str, random: np.random.Generator) -> str:
    words = [word for word in caption.split() if word not in FILLERS and len(word) > 2]
    return words[int(random.integers(len(words)))] if words else caption
