import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pellucid.cli import evaluate as command
from pellucid.errors import ConfigError
from pellucid.evaluation.images import Image, Image8
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import NO_WORDS
from pellucid.evaluation.results import read_summary
from pellucid.evaluation.study import (
    applicable_methods,
    applicable_modes,
    choose_contenders,
    evaluate_set,
    perceptual_measure,
)


def halve(mixture: Image8, behind: str | None, mirrored: str | None) -> tuple[Image, Image]:
    return mixture // 2, mixture // 2


def test_what_applies_follows_from_the_pairs(pairs_folder: Path) -> None:
    pairs = read_pairs(pairs_folder)
    assert applicable_methods(pairs)[-1] == "peer"
    assert applicable_modes(pairs) == list(Mode)
    bare = [dataclasses.replace(pair, words=NO_WORDS, peer_transmission=None) for pair in pairs]
    assert "peer" not in applicable_methods(bare)
    assert applicable_modes(bare) == [Mode.NONE]


def test_the_model_is_loaded_only_if_asked_for(pairs_folder: Path) -> None:
    def refuse():
        raise AssertionError

    pairs = read_pairs(pairs_folder)
    chosen = choose_contenders(pairs, ["untouched", "peer"], [], refuse, peer_name="RAGNet")
    assert [contender.method for contender in chosen] == ["untouched", "RAGNet"]
    with pytest.raises(ConfigError, match=r"'untuched'.*untouched"):
        choose_contenders(pairs, ["untuched"], [], refuse)


def test_without_its_packages_the_perceptual_distance_is_left_out(monkeypatch) -> None:
    assert set(perceptual_measure()) == {"perceptual_distance"}
    monkeypatch.setattr("pellucid.network.pretrained.PACKAGE", "no_such_package")
    assert perceptual_measure() == {}
    monkeypatch.setitem(sys.modules, "pellucid.evaluation.perceptual", None)
    assert perceptual_measure() == {}


def test_files_hold_every_score_and_no_path(pairs_folder: Path, tmp_path: Path) -> None:
    pairs = read_pairs(pairs_folder)
    modes = [Mode.NONE, Mode.RIGHT]
    contenders = choose_contenders(pairs, ["pellucid", "untouched"], modes, lambda: halve)
    output = tmp_path / "out"
    steps = []
    summary = evaluate_set("little", pairs, contenders, output, on_photo=lambda: steps.append(1))
    assert len(steps) == 3
    written = read_summary(output / "summary.json")
    assert [(run.method, run.mode) for run in written.runs] == [
        ("pellucid", Mode.NONE),
        ("pellucid", Mode.RIGHT),
        ("untouched", Mode.NONE),
    ]
    lines = [json.loads(line) for line in (output / "images.jsonl").read_text().splitlines()]
    assert len(lines) == 9
    mean = np.mean([x["transmission.psnr"] for x in lines if x["method"] == "untouched"])
    assert summary.runs[2].figures["transmission.psnr"].mean == pytest.approx(mean, abs=1e-4)
    assert sorted(path.name for path in output.iterdir()) == [
        "images.jsonl",
        "sheet.html",
        "summary.json",
    ]
    for path in output.iterdir():
        assert str(tmp_path) not in path.read_text()


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "_load_model", lambda weights: halve)
    return lambda *args: CliRunner().invoke(command.app, [str(arg) for arg in args])


def test_command_scores_a_set(cli, pairs_folder: Path, tmp_path: Path) -> None:
    result = cli(pairs_folder, "-o", tmp_path / "out", "--peer-name", "RAGNet")
    assert result.exit_code == 0, result.output
    runs = read_summary(tmp_path / "out" / "summary.json").runs
    assert len(runs) == len(Mode) + 4
    assert "little-set, 3 photos" in result.output
    assert "RAGNet" in result.output
    assert all("transmission.perceptual_distance" in run.figures for run in runs)


def test_command_runs_the_checks_and_reports(cli, photos_folder: Path, tmp_path: Path) -> None:
    result = cli("--checks", photos_folder, "--mixtures", 2, "-o", tmp_path / "results")
    assert result.exit_code == 0, result.output
    assert "symmetric mixtures" in result.output
    result = cli("--report", tmp_path / "results", "-o", tmp_path / "results.md")
    assert result.exit_code == 0, result.output
    assert "Checks on mixtures" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_command_wants_one_thing(cli, pairs_folder: Path) -> None:
    assert cli().exit_code == 2
    assert cli(pairs_folder, "--report", pairs_folder).exit_code == 2
