"""Checks that need no real pairs: whether words are followed and clean photos left alone.

Each check is one figure over mixtures of validation photos (`pellucid.evaluation.mixtures`), with
the least it must reach and what it aims at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.evaluation.methods import Method
from pellucid.evaluation.metrics import nearest_layer
from pellucid.evaluation.mixtures import (
    Captioned,
    plain_photo,
    soft_photo,
    strong_mixture,
    symmetric_mixture,
)
from pellucid.evaluation.modes import Mode, words_for
from pellucid.evaluation.pairs import NO_WORDS, Descriptions
from pellucid.evaluation.protocol import (
    Figure,
    Layers,
    Protocol,
    Sample,
    finite_psnr,
    summarise,
)
from pellucid.evaluation.results import FORMAT, rounded, write_json
from pellucid.untrusted import parse_json


@dataclass(frozen=True)
class Check:
    """One figure, its unit, and what it should be; `None` where it is for information."""

    name: str
    unit: str
    figure: Figure
    mixtures: int
    at_least: float | None = None
    aim: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the mean reaches `at_least`."""
        return None if self.at_least is None else self.figure.mean >= self.at_least


@dataclass(frozen=True)
class CheckPlan:
    """How many mixtures of each kind, and the seed of all draws."""

    mixtures: int = 200
    seed: int = 0


Progress = Callable[[], None]


def run_checks(
    method: Method,
    photos: Sequence[Captioned],
    plan: CheckPlan = CheckPlan(),
    on_mixture: Progress = lambda: None,
) -> list[Check]:
    """Run every check; `on_mixture` is called after each of `count_mixtures` mixtures."""
    return [
        *_symmetric(method, photos, plan, on_mixture),
        *_strong(method, photos, plan, on_mixture),
        *_plain(method, photos, plan, on_mixture),
    ]


def count_mixtures(photos: Sequence[Captioned], plan: CheckPlan) -> int:
    """Return how many mixtures `run_checks` goes through."""
    return 2 * plan.mixtures + min(plan.mixtures, len(photos))


def write_checks(path: Path, checks: Sequence[Check], plan: CheckPlan) -> None:
    """Write the checks as JSON; the figures rounded to 5 decimals."""
    entries = [asdict(check) | {"figure": rounded(check.figure)} for check in checks]
    write_json(path, {"format": FORMAT, "seed": plan.seed, "checks": entries})


def read_checks(path: Path) -> list[Check]:
    """Read the file that `write_checks` wrote; raises `DataError` if it is not one."""
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        return [
            Check(**(entry | {"figure": Figure(**entry["figure"])})) for entry in document["checks"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a file of checks ({error!r})") from error


def _symmetric(
    method: Method, photos: Sequence[Captioned], plan: CheckPlan, on_mixture: Progress
) -> list[Check]:
    right, none = [], []
    for number in range(plan.mixtures):
        sample = symmetric_mixture(photos, plan.seed, number)
        right.append(_share_nearest(sample, _separate(method, sample, sample.words)))
        none.append(_share_nearest(sample, _separate(method, sample, NO_WORDS)))
        on_mixture()
    what = "symmetric mixtures: outputs nearer to their own layer"
    return [
        _check(f"{what}, both descriptions", "%", right, plan, 85.0, 95.0),
        _check(f"{what}, no words (chance: 50)", "%", none, plan),
    ]


def _strong(
    method: Method, photos: Sequence[Captioned], plan: CheckPlan, on_mixture: Progress
) -> list[Check]:
    samples = [strong_mixture(photos, plan.seed, number) for number in range(plan.mixtures)]
    wrong_words = words_for(Mode.WRONG, [sample.words for sample in samples], plan.seed)
    gains: dict[str, list[float]] = {"right": [], "wrong T": [], "wrong R": [], "wrong": []}
    for sample, wrong in zip(samples, wrong_words, strict=True):
        given = {
            "right": sample.words,
            "wrong T": Descriptions(transmission=wrong.transmission),
            "wrong R": Descriptions(reflection=wrong.reflection),
            "wrong": wrong,
        }
        none = _transmission_psnr(method, sample, NO_WORDS)
        for kind, words in given.items():
            gains[kind].append(_transmission_psnr(method, sample, words) - none)
        on_mixture()
    what = "strong, sharp reflections: PSNR of T above that without words"
    return [
        _check(f"{what}, both descriptions", "dB", gains["right"], plan, 0.7, 2.0),
        _check(f"{what}, one wrong: of T", "dB", gains["wrong T"], plan, -0.2, -0.05),
        _check(f"{what}, one wrong: of R", "dB", gains["wrong R"], plan, -0.2, -0.05),
        _check(f"{what}, both wrong", "dB", gains["wrong"], plan),
    ]


def _plain(
    method: Method, photos: Sequence[Captioned], plan: CheckPlan, on_mixture: Progress
) -> list[Check]:
    none, described, soft = [], [], []
    for number in range(min(plan.mixtures, len(photos))):
        sample = plain_photo(photos, number)
        none.append(_transmission_psnr(method, sample, NO_WORDS))
        described.append(_transmission_psnr(method, sample, sample.words))
        soft.append(_transmission_psnr(method, soft_photo(sample), NO_WORDS))
        on_mixture()
    what = "photos without a reflection: PSNR of T to the photo"
    return [
        _check(f"{what}, no words", "dB", none, plan, 38.0, 45.0),
        _check(f"{what}, transmission described", "dB", described, plan, 38.0, 45.0),
        _check(f"{what}, blurred by a pixel, no words", "dB", soft, plan),
    ]


def _separate(method: Method, sample: Sample, words: Descriptions) -> Layers:
    return Layers(*method(sample.mixture, words.transmission, words.reflection)).saved()


def _transmission_psnr(method: Method, sample: Sample, words: Descriptions) -> float:
    layers = _separate(method, sample, words)
    return finite_psnr(layers.transmission, sample.transmission)


def _share_nearest(sample: Sample, layers: Layers) -> float:
    """Per cent of the two outputs that are nearer to their own layer than to the other."""
    assert sample.reflection is not None and layers.reflection is not None
    own = nearest_layer(layers.transmission, sample.transmission, sample.reflection)
    mirrored = nearest_layer(layers.reflection, sample.reflection, sample.transmission)
    return 50.0 * (own + mirrored)


def _check(
    name: str,
    unit: str,
    values: Sequence[float],
    plan: CheckPlan,
    at_least: float | None = None,
    aim: float | None = None,
) -> Check:
    figure = summarise(values, Protocol(seed=plan.seed))
    return Check(name, unit, figure, len(values), at_least, aim)
