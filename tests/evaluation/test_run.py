from pathlib import Path

import numpy as np
import pytest

from pellucid.evaluation.images import Image, Image8
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.methods import untouched
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import STATED
from pellucid.evaluation.run import (
    OVER_NONE,
    Score,
    answer_all,
    separator_modes,
    summarise_runs,
    yardstick,
)


def test_each_contender_answers_each_photo_with_its_words(pairs_folder: Path) -> None:
    heard = []

    def method(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
        heard.append((behind, mirrored))
        return mixture, np.zeros_like(mixture)

    pairs = read_pairs(pairs_folder)
    contenders = [
        *separator_modes("model", method, [Mode.RIGHT, Mode.SWAPPED], pairs, 0),
        yardstick("untouched", untouched),
    ]
    answered = list(answer_all(pairs, contenders, STATED))
    assert [sample.name for sample, _ in answered] == [pair.name for pair in pairs]
    assert heard[:2] == [("a red car", "a tall tree"), ("a tall tree", "a red car")]
    for _, answers in answered:
        given, swapped, plain = (answer.score for answer in answers)
        assert (given.mode, swapped.mode, plain.mode) == (Mode.RIGHT, Mode.SWAPPED, Mode.NONE)
        assert given.measures == plain.measures


def test_runs_average_over_images_and_pair_the_gain_of_words() -> None:
    psnr = "transmission.psnr"
    scores = [
        Score("model", Mode.NONE, "a", {psnr: 20.0}),
        Score("model", Mode.NONE, "b", {psnr: 30.0, "reflection.psnr": 10.0}),
        Score("model", Mode.RIGHT, "b", {psnr: 33.0}),
        Score("model", Mode.RIGHT, "a", {psnr: 21.0}),
        Score("other", Mode.RIGHT, "a", {psnr: 1.0}),
    ]
    none, right, other = summarise_runs(scores, STATED)
    assert none.figures[psnr].mean == 25
    assert set(none.figures) == {psnr}  # not every image has the other measure
    assert right.figures[OVER_NONE].mean == pytest.approx(2)
    assert (right.figures[OVER_NONE].low, right.figures[OVER_NONE].high) == (1, 3)
    assert OVER_NONE not in other.figures
