from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import DataError
from pellucid.evaluation.checks import (
    Check,
    CheckPlan,
    count_mixtures,
    read_checks,
    run_checks,
    write_checks,
)
from pellucid.evaluation.images import Image, Image8, from_light, to_light
from pellucid.evaluation.mixtures import plain_photo, read_validation_photos
from pellucid.evaluation.protocol import Figure

PLAN = CheckPlan(mixtures=4)


def keep_all(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
    return mixture, np.zeros_like(mixture)


def test_doing_nothing_fails_where_it_should(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    steps = []
    checks = run_checks(keep_all, photos, PLAN, lambda: steps.append(1))
    assert len(steps) == count_mixtures(photos, PLAN) == 12
    both, none, gain, wrong_t, wrong_r, wrong, plain, described, soft = checks
    assert both.met is False
    assert none.met is None
    assert (gain.figure.mean, wrong_t.figure.mean, wrong_r.figure.mean) == (0, 0, 0)
    assert wrong.figure.mean == 0
    assert wrong.met is None
    assert gain.met is False
    assert wrong_t.met is wrong_r.met is True
    assert (plain.figure.mean, described.figure.mean, soft.figure.mean) == (100, 100, 100)


def test_a_separator_that_follows_words_passes(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    shown = {p.caption: plain_photo(photos, i).mixture for i, p in enumerate(photos)}

    def follow(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
        if behind is None or mirrored is None:
            return keep_all(mixture, behind, mirrored)
        return tuple(from_light(0.5 * to_light(shown[text])) for text in (behind, mirrored))

    both, none, gain, wrong_t, wrong_r, wrong, *_ = run_checks(follow, photos, PLAN)
    assert both.figure.mean == 100
    assert none.figure.mean < 85
    assert gain.met
    assert wrong_t.figure.mean == wrong_r.figure.mean == 0
    assert wrong.figure.mean < 0


def test_one_output_of_two_is_half(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    shown = {p.caption: plain_photo(photos, i).mixture for i, p in enumerate(photos)}

    def twice(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
        layer = mixture if behind is None else from_light(0.5 * to_light(shown[behind]))
        return layer, layer

    assert run_checks(twice, photos, PLAN)[0].figure.mean == 50


def test_a_wrong_word_alone_is_what_the_wrong_check_gives(photos_folder: Path) -> None:
    photos = read_validation_photos(photos_folder)
    heard = set()

    def listen(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
        heard.add((behind is not None, mirrored is not None))
        harmed = behind is not None and mirrored is None
        return (mixture // 2 if harmed else mixture), np.zeros_like(mixture)

    *_, wrong_t, wrong_r, _, plain, described, _ = run_checks(listen, photos, PLAN)
    assert heard == {(False, False), (True, True), (True, False), (False, True)}
    assert wrong_t.figure.mean != 0
    assert wrong_r.figure.mean == 0
    assert plain.figure.mean > described.figure.mean


def test_file_round_trip(tmp_path: Path) -> None:
    checks = [
        Check("a", "dB", Figure(1.0, 0.5, 1.5), 4, at_least=0.7, aim=2.0),
        Check("b", "%", Figure(50.0, 40.0, 60.0), 4),
    ]
    write_checks(tmp_path / "checks.json", checks, PLAN)
    assert read_checks(tmp_path / "checks.json") == checks
    (tmp_path / "checks.json").write_text('{"checks": [{"name": "a"}]}')
    with pytest.raises(DataError, match=r"checks\.json"):
        read_checks(tmp_path / "checks.json")
