"""The command, and that every experiment runs: a few steps of each run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pellucid.attention.experiments.catalogue import EXPERIMENTS
from pellucid.cli.attention import app
from pellucid.errors import ConfigError

RESULTS = Path(__file__).parents[3] / "results" / "attention" / "experiments"


def run(*arguments: object):
    return CliRunner().invoke(app, ["experiment", *map(str, arguments)])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_quick(name, tmp_path):
    pytest.importorskip("transformers")
    result = run(name, "--quick", "--folder", tmp_path)
    assert result.exit_code == 0, result.output
    titles = EXPERIMENTS[name].groups.values()
    assert all(f"| {title} |" in result.output for title in titles)
    assert len(list(tmp_path.glob("*.jsonl"))) == len(titles)
    again = run(name, "--table-only", "--folder", tmp_path)
    assert again.stdout == result.stdout


def test_quick_runs_do_not_go_to_the_results():
    assert isinstance(run("backcopy", "--quick").exception, ConfigError)


def test_repeat_tells_what_is_outside(tmp_path, monkeypatch):
    from pellucid.attention.experiments import catalogue
    from pellucid.attention.experiments.runs import Run

    def made(group, seed, quick):
        points = [{"step": 0, "backcopy": seed}]
        return Run(group, seed, {"seed": seed}, points)

    changed = replace(EXPERIMENTS["backcopy"], make_run=made)
    monkeypatch.setattr(catalogue, "EXPERIMENTS", {"backcopy": changed})
    assert run("backcopy", "--folder", tmp_path).exit_code == 0
    inside = run("backcopy", "--folder", tmp_path, "--repeat", "vanilla-1")
    assert (inside.exit_code, "inside" in inside.output) == (0, True)
    outside = run("backcopy", "--folder", tmp_path, "--repeat", "vanilla-9")
    assert (outside.exit_code, "OUTSIDE" in outside.output) == (3, True)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_tables_and_figures_are_of_the_stored_runs(name, tmp_path):
    stored = RESULTS / EXPERIMENTS[name].folder
    if not stored.exists():
        pytest.skip("results do not travel with the package")
    for path in stored.glob("*.jsonl"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        assert json.loads(path.read_text().splitlines()[0])["group"] in path.stem
    result = run(name, "--table-only", "--folder", tmp_path)
    assert result.exit_code == 0, result.output
    made = [path for path in tmp_path.iterdir() if path.suffix != ".jsonl"]
    assert made
    for path in made:
        assert path.read_bytes() == (stored / path.name).read_bytes(), path.name
