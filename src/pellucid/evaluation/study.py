"""One evaluation from start to end: choose contenders, score a set, write its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pellucid.errors import ConfigError, WeightsError
from pellucid.evaluation.methods import YARDSTICKS, Method
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import NO_WORDS, Pair
from pellucid.evaluation.protocol import NO_MEASURES, STATED, Measures, Protocol
from pellucid.evaluation.results import Summary, write_images, write_summary
from pellucid.evaluation.run import (
    Contender,
    Score,
    answer_all,
    separator_modes,
    summarise_runs,
    yardstick,
)
from pellucid.evaluation.sheet import html_sheet

MODEL = "pellucid"


def applicable_methods(pairs: Sequence[Pair]) -> list[str]:
    """Return all methods that can answer for every pair: "peer" needs published outputs."""
    with_peer = all(pair.peer_transmission is not None for pair in pairs)
    return [MODEL, *(name for name in YARDSTICKS if name != "peer" or with_peer)]


def applicable_modes(pairs: Sequence[Pair]) -> list[Mode]:
    """Return all modes, or only the one without words if no pair is described."""
    described = any(pair.words != NO_WORDS for pair in pairs)
    return list(Mode) if described else [Mode.NONE]


def perceptual_measure() -> Measures:
    """Return the perceptual distance, or nothing where the extra `train` is not installed."""
    try:
        from pellucid.evaluation.perceptual import PerceptualDistance

        return {"perceptual_distance": PerceptualDistance()}
    except (ImportError, WeightsError):
        return NO_MEASURES


def choose_contenders(
    pairs: Sequence[Pair],
    methods: Sequence[str],
    modes: Sequence[Mode],
    load_model: Callable[[], Method],
    *,
    peer_name: str = "peer",
    seed: int = 0,
) -> list[Contender]:
    """Enter each method, the model once for each mode; `load_model` is called only for it.

    Raises `ConfigError` for a method that does not exist.
    """
    contenders: list[Contender] = []
    for name in methods:
        if name == MODEL:
            contenders += separator_modes(MODEL, load_model(), modes, pairs, seed)
        elif name in YARDSTICKS:
            label = peer_name if name == "peer" else name
            contenders.append(yardstick(label, YARDSTICKS[name]))
        else:
            known = ", ".join([MODEL, *YARDSTICKS])
            raise ConfigError(f"no method is called {name!r}: choose from {known}")
    return contenders


def evaluate_set(
    set_name: str,
    pairs: Sequence[Pair],
    contenders: Sequence[Contender],
    output: Path,
    protocol: Protocol = STATED,
    further: Measures = NO_MEASURES,
    on_photo: Callable[[], None] = lambda: None,
) -> Summary:
    """Score every contender on every pair; write summary.json, images.jsonl and sheet.html.

    The files appear in `output` once all photos are scored. One photo is in memory at a time.
    """
    scores: list[Score] = []
    with html_sheet(output / "sheet.html", set_name, protocol.describe()) as sheet:
        for sample, answers in answer_all(pairs, contenders, protocol, further):
            sheet.add(sample, answers)
            scores += [answer.score for answer in answers]
            on_photo()
    runs = summarise_runs(scores, protocol)
    summary = Summary(set_name, len(pairs), protocol.describe(), runs)
    write_images(output / "images.jsonl", scores)
    write_summary(output / "summary.json", summary)
    return summary
