import dataclasses
import json
from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.evaluation.int8 import (
    Int8Loss,
    calibration_feeds,
    measure_loss,
    read_loss,
    write_loss,
)
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import STATED, Figure
from pellucid.evaluation.report import write_report

from ..helpers.tiny_model import write_tiny_model

LOSS = Int8Loss(
    "abc", "lite", "dev", 10, "as stated", {"none": Figure(0.04, -0.1, 0.1)}, 900, 700, 0.2, 0.1
)


def test_calibration_has_words_of_every_kind(tiny_weights: Path, pairs_folder: Path) -> None:
    photos = sorted(pairs_folder.glob("*.png"))[:4]
    feeds = calibration_feeds(tiny_weights, photos)
    said = [(feed["transmission_mask"].any(), feed["reflection_mask"].any()) for feed in feeds]
    assert sorted(said) == [(False, False), (False, True), (True, False), (True, True)]
    assert all(feed["mixture"].shape == (1, 3, 32, 32) for feed in feeds)


def test_the_loss_is_paired_by_image_and_mode(
    tiny_weights: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    worse = write_tiny_model(tmp_path / "worse.onnx", share=0.0)
    pairs, modes = read_pairs(pairs_folder), [Mode.NONE, Mode.RIGHT]
    same = measure_loss(tiny_weights, tiny_weights, "little", pairs, modes, STATED)
    assert {mode: figure.mean for mode, figure in same.loss.items()} == {"none": 0, "right": 0}
    lossy = measure_loss(tiny_weights, worse, "little", pairs, modes, STATED)
    assert lossy.loss["none"].mean > 0.1
    assert not lossy.pays
    assert (lossy.images, lossy.weights_id) == (3, "tiny")
    assert lossy.cpu_seconds > 0


def test_what_pays() -> None:
    assert LOSS.pays
    assert not dataclasses.replace(LOSS, int8_cpu_seconds=0.3).pays
    assert not dataclasses.replace(LOSS, loss={"none": Figure(0.06, 0, 0.1)}).pays


def test_round_trip_and_report(tmp_path: Path) -> None:
    path = tmp_path / "results" / "int8-lite" / "int8.json"
    write_loss(path, LOSS)
    assert read_loss(path) == LOSS
    write_report(tmp_path / "results", tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| lite abc | dev | +0.04 [-0.10, +0.10] | – | 0.200 → 0.100 |" in text


@pytest.mark.parametrize("document", ["", "[]", json.dumps({"loss": {}})])
def test_other_files_are_refused(tmp_path: Path, document: str) -> None:
    (tmp_path / "int8.json").write_text(document)
    with pytest.raises(DataError, match=r"int8\.json"):
        read_loss(tmp_path / "int8.json")
