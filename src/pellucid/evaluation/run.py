"""Score methods over a set of pairs, one photo in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pellucid.evaluation.methods import Method, Yardstick
from pellucid.evaluation.modes import Mode, words_for
from pellucid.evaluation.pairs import Pair
from pellucid.evaluation.protocol import (
    NO_MEASURES,
    Figure,
    Layers,
    Measures,
    Protocol,
    Sample,
    load_sample,
    score,
    summarise,
)

OVER_NONE = "transmission.psnr_over_none"
"""PSNR of T above what the same method gives without words."""


@dataclass(frozen=True)
class Contender:
    """A method and the words it is given."""

    method: str
    mode: Mode
    answer: Callable[[Sample], Layers]


@dataclass(frozen=True)
class Score:
    """How one contender did on one photo, by measure."""

    method: str
    mode: Mode
    image: str
    measures: dict[str, float]


@dataclass(frozen=True)
class Answer:
    """What a contender made of one photo, as saved, and its score."""

    layers: Layers
    score: Score


@dataclass(frozen=True)
class Run:
    """A contender's figures over the set, by measure."""

    method: str
    mode: Mode
    figures: dict[str, Figure]


def yardstick(name: str, measure: Yardstick) -> Contender:
    """Enter a yardstick; it is given no words."""
    return Contender(name, Mode.NONE, measure)


def separator_modes(
    name: str, method: Method, modes: Iterable[Mode], pairs: Sequence[Pair], seed: int
) -> list[Contender]:
    """Enter a separator once for each mode, with that mode's words for each of `pairs`."""
    return [_with_words(name, method, mode, pairs, seed) for mode in modes]


def _with_words(
    name: str, method: Method, mode: Mode, pairs: Sequence[Pair], seed: int
) -> Contender:
    words = words_for(mode, [pair.words for pair in pairs], seed)
    by_name = {pair.name: given for pair, given in zip(pairs, words, strict=True)}

    def answer(sample: Sample) -> Layers:
        given = by_name[sample.name]
        return Layers(*method(sample.mixture, given.transmission, given.reflection))

    return Contender(name, mode, answer)


def answer_all(
    pairs: Iterable[Pair],
    contenders: Sequence[Contender],
    protocol: Protocol,
    further: Measures = NO_MEASURES,
) -> Iterator[tuple[Sample, list[Answer]]]:
    """Yield each photo with every contender's answer, saved as 8-bit and scored."""
    for pair in pairs:
        sample = load_sample(pair, protocol)
        yield sample, [_answer(contender, sample, further) for contender in contenders]


def _answer(contender: Contender, sample: Sample, further: Measures) -> Answer:
    layers = contender.answer(sample).saved()
    measures = score(sample, layers, further)
    return Answer(layers, Score(contender.method, contender.mode, sample.name, measures))


def summarise_runs(scores: Iterable[Score], protocol: Protocol) -> list[Run]:
    """Average scores over images, a run for each method and mode in order of first appearance.

    Measures that some image of a run lacks are left out. Where a method ran without words too, its
    other modes get `OVER_NONE`, paired by image.
    """
    grouped: dict[tuple[str, Mode], list[Score]] = {}
    for one in scores:
        grouped.setdefault((one.method, one.mode), []).append(one)
    runs = []
    for (method, mode), own in grouped.items():
        images = [one.measures for one in own]
        plain = grouped.get((method, Mode.NONE))
        if mode is not Mode.NONE and plain is not None:
            images = _with_gain_over(plain, own)
        runs.append(Run(method, mode, _figures(images, protocol)))
    return runs


def _with_gain_over(plain: Iterable[Score], own: Iterable[Score]) -> list[dict[str, float]]:
    psnr = "transmission.psnr"
    without = {one.image: one.measures[psnr] for one in plain}
    return [one.measures | {OVER_NONE: one.measures[psnr] - without[one.image]} for one in own]


def _figures(images: Sequence[dict[str, float]], protocol: Protocol) -> dict[str, Figure]:
    shared = [key for key in images[0] if all(key in measures for measures in images)]
    return {key: summarise([measures[key] for measures in images], protocol) for key in shared}
