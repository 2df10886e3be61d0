"""Which words a separator is given: the language effect is the difference between the modes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import numpy as np

from pellucid.errors import ConfigError
from pellucid.evaluation.pairs import NO_WORDS, Descriptions


class Mode(StrEnum):
    """The descriptions given: none, both, one, each other's, or those of another photo."""

    NONE = "none"
    RIGHT = "right"
    TRANSMISSION = "transmission"
    REFLECTION = "reflection"
    SWAPPED = "swapped"
    WRONG = "wrong"


def parse_modes(names: Iterable[str]) -> list[Mode]:
    """Return the modes of these names; raises `ConfigError` for one that does not exist."""
    try:
        return [Mode(name) for name in names]
    except ValueError as error:
        raise ConfigError(f"{error}: choose from {', '.join(Mode)}") from error


def words_for(mode: Mode, words: Sequence[Descriptions], seed: int) -> list[Descriptions]:
    """Return what `mode` says of each photo, given the true descriptions of all of them.

    `WRONG` draws each description from another photo, never one that reads the same; where no
    other photo has any, it is left out.
    """
    if mode is Mode.NONE:
        return [NO_WORDS] * len(words)
    if mode is Mode.RIGHT:
        return list(words)
    if mode is Mode.TRANSMISSION:
        return [Descriptions(transmission=own.transmission) for own in words]
    if mode is Mode.REFLECTION:
        return [Descriptions(reflection=own.reflection) for own in words]
    if mode is Mode.SWAPPED:
        return [Descriptions(own.reflection, own.transmission) for own in words]
    rng = np.random.default_rng(seed)
    transmissions = _drawn_from_others([own.transmission for own in words], rng)
    reflections = _drawn_from_others([own.reflection for own in words], rng)
    return [Descriptions(*pair) for pair in zip(transmissions, reflections, strict=True)]


def _drawn_from_others(texts: Sequence[str | None], rng: np.random.Generator) -> list[str | None]:
    drawn: list[str | None] = []
    for own in texts:
        others = sorted({text for text in texts if text is not None and text != own})
        take = own is not None and bool(others)
        drawn.append(others[rng.integers(len(others))] if take else None)
    return drawn
