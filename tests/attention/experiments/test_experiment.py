from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pellucid.attention.experiments.catalogue import EXPERIMENTS, experiment
from pellucid.attention.experiments.charts import Panel
from pellucid.attention.experiments.experiment import Experiment, repeat, run_missing, summarise
from pellucid.attention.experiments.runs import Run, read_run, write_run
from pellucid.attention.experiments.summary import Published, at_end, highest, panel
from pellucid.errors import ConfigError, DataError


class Maker:
    """Makes runs whose figure rises to the seed plus an offset, and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.offset = 0.0

    def __call__(self, group: str, seed: int, quick: bool) -> Run:
        self.made.append(f"{group}-{seed}")
        points = [{"step": s, "risk": s / 10 * (seed + self.offset)} for s in (0, 5, 10)]
        return Run(group, seed, {"seed": seed, "quick": quick}, points)


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def trial(maker) -> Experiment:
    titles = {"a": "method A", "b-c": "method B"}
    columns = (at_end("risk", "risk"), highest("risk", "highest"), at_end("gate", "gate"))

    def panels(groups):
        return {"curves": [panel(groups, "risk", "risk", titles)]}

    return Experiment("trial", "trial", titles, 3, maker, columns, panels)


def test_runs_are_made_once(trial, maker, tmp_path):
    run_missing(trial, tmp_path)
    assert len(maker.made) == 6
    (tmp_path / "b-c-1.jsonl").unlink()
    maker.made.clear()
    run_missing(trial, tmp_path)
    assert maker.made == ["b-c-1"]


def test_quick_runs_are_of_one_seed(trial, maker, tmp_path):
    run_missing(trial, tmp_path, quick=True)
    assert maker.made == ["a-0", "b-c-0"]
    assert read_run(tmp_path / "a-0.jsonl").config["quick"] is True


def test_the_table_has_means_and_intervals(trial, tmp_path):
    run_missing(trial, tmp_path)
    text = summarise(trial, tmp_path)
    assert text.splitlines()[0] == "|  | risk | highest | gate | seeds |"
    assert text.splitlines()[2] == "| method A | 1.0 ± 2.5 | 1.0 ± 2.5 | – | 3 |"
    assert (tmp_path / "trial.md").read_text() == text + "\n"
    assert (tmp_path / "curves.svg").read_text().startswith("<svg")


def test_published_figures_stand_beside_the_seeds(trial, tmp_path):
    run_missing(trial, tmp_path)
    text = summarise(replace(trial, published=[Published("paper", {"b-c": "+0.12"})]), tmp_path)
    head, _, first, second = text.splitlines()
    assert head.endswith("| seeds | paper |")
    assert first.endswith("| 3 | – |")
    assert second.endswith("| 3 | +0.12 |")


def test_a_repeated_run_is_held_against_the_interval(trial, maker, tmp_path):
    run_missing(trial, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    compared = repeat(trial, tmp_path, "b-c-2")
    assert [(one.figure, one.inside) for one in compared] == [("risk", True), ("highest", True)]
    maker.offset = 9.0
    compared = repeat(trial, tmp_path, "b-c-2")
    assert [(one.stored, one.repeated, one.inside) for one in compared] == [(2, 11, False)] * 2
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["a", "a-x", "nothing-0"])
def test_repeating_what_is_not_there(trial, tmp_path, name):
    with pytest.raises(ConfigError, match="is no run of trial"):
        repeat(trial, tmp_path, name)


def test_damaged_folders(trial, tmp_path):
    with pytest.raises(DataError, match="holds no run files"):
        summarise(trial, tmp_path)
    run_missing(trial, tmp_path)
    run = read_run(tmp_path / "a-0.jsonl")
    write_run(tmp_path, replace(run, config={"seed": 0, "quick": True}))
    with pytest.raises(DataError, match="different settings"):
        summarise(trial, tmp_path)
    for content in ("", "{}\n", json.dumps({"format": "other", "version": 1}) + "\n{}\n"):
        (tmp_path / "a-0.jsonl").write_text(content)
        with pytest.raises(DataError, match=r"a-0\.jsonl"):
            summarise(trial, tmp_path)


def test_numbers_that_are_none_survive_the_file(tmp_path):
    path = write_run(tmp_path, Run("a", 0, {}, [{"step": 0, "risk": float("nan"), "x": 1 / 3}]))
    assert read_run(path).last == {"step": 0, "risk": None, "x": 0.333333}


def test_panels_leave_out_what_is_not_measured():
    runs = [Run("a", s, {}, [{"step": 0, "gate": None}, {"step": 2, "gate": s}]) for s in (1, 3)]
    drawn = panel({"a": runs}, "gate", "gate", {"a": "A"})
    assert isinstance(drawn, Panel)
    line = drawn.lines[0]
    assert (line.steps, line.low, line.mean, line.high) == ([2.0], [1.0], [2.0], [3.0])


def test_the_catalogue():
    assert experiment("backcopy").name == "backcopy"
    with pytest.raises(ConfigError, match=f"choose from {', '.join(EXPERIMENTS)}"):
        experiment("other")
    assert all(e.name == name for name, e in EXPERIMENTS.items())
