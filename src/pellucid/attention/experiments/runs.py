"""Run files: one JSONL file a run, a line about the run and a line a measurement."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import DataError
from pellucid.files import appearing_whole
from pellucid.untrusted import parse_json

FORMAT = "pellucid-experiment-run"
VERSION = 1

Point = Mapping[str, float | None]
"""Figures by name; None where there was no number, for JSON has no NaN."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        group: what was tried, as `vga-key`; runs of a group differ in their seeds only.
        seed: of the run.
        config: all settings.
        points: figures by name, each with its `step`, in the order of the steps.

    """

    group: str
    seed: int
    config: Mapping[str, Any]
    points: Sequence[Point]

    @property
    def name(self) -> str:
        """The name of its file, without the suffix."""
        return run_name(self.group, self.seed)

    @property
    def last(self) -> Point:
        """The last measurement."""
        return self.points[-1]


def value(point: Point, name: str) -> float:
    """Return a figure of a point, NaN where there is none."""
    found = point.get(name)
    return float("nan") if found is None else float(found)


def start(run: Run, name: str) -> float:
    """Return a figure of the first measurement."""
    return value(run.points[0], name)


def end(run: Run, name: str) -> float:
    """Return a figure of the last measurement."""
    return value(run.last, name)


def peak(run: Run, name: str) -> float:
    """Return a figure's highest measurement."""
    return max(value(point, name) for point in run.points)


def run_name(group: str, seed: int) -> str:
    """Return the name of a run's file, without the suffix."""
    return f"{group}-{seed}"


def write_run(folder: Path, run: Run) -> Path:
    """Write a run's file, whole or not at all; the folder is made if there is none."""
    head = {"format": FORMAT, "version": VERSION, "group": run.group, "seed": run.seed}
    lines = [json.dumps(head | {"config": dict(run.config)})]
    lines += [json.dumps({name: _short(found) for name, found in p.items()}) for p in run.points]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.name}.jsonl"
    with appearing_whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read_run(path: Path) -> Run:
    """Read a run's file.

    Raises:
        DataError: the file is missing, damaged or of another version.

    """
    try:
        head, *points = map(parse_json, path.read_text(encoding="utf-8").splitlines())
        if head["format"] != FORMAT or head["version"] != VERSION or not points:
            raise DataError(f"{path} is no run file of version {VERSION}: run the experiment anew.")
        return Run(head["group"], head["seed"], head["config"], points)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as a run file: {error}") from error


def read_groups(folder: Path, groups: Iterable[str]) -> dict[str, list[Run]]:
    """Read all runs of a folder, by group in the order given; groups without runs are left out.

    Raises:
        DataError: there are no runs, one is damaged, or runs of a group differ in more than seeds.

    """
    runs = [read_run(path) for path in sorted(folder.glob("*.jsonl"))]
    found = {group: [run for run in runs if run.group == group] for group in groups}
    found = {group: members for group, members in found.items() if members}
    if not found:
        raise DataError(f"{folder} holds no run files: run the experiment first.")
    for members in found.values():
        if any(_but_seed(run) != _but_seed(members[0]) for run in members):
            raise DataError(
                f"The runs of {members[0].group} in {folder} have different settings: use a new "
                "folder for each."
            )
    return found


def _but_seed(run: Run) -> dict[str, Any]:
    return {name: setting for name, setting in run.config.items() if name != "seed"}


def _short(found: float | None) -> float | None:
    """Six digits say all that a measurement knows; JSON has no NaN."""
    return None if found is None or not math.isfinite(found) else float(f"{found:.6g}")
