"""Running an experiment: what is missing in its folder, a table and figures from what is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pellucid.attention.experiments.charts import Panel, figure
from pellucid.attention.experiments.claims import Claim, verdicts
from pellucid.attention.experiments.runs import Run, read_groups, run_name, write_run
from pellucid.attention.experiments.summary import Column, Groups, Published, intervals, table
from pellucid.errors import ConfigError
from pellucid.files import appearing_whole

MakeRun = Callable[[str, int, bool], Run]
Panels = Callable[[Groups], Mapping[str, Sequence[Panel]]]


@dataclass(frozen=True)
class Experiment:
    """An experiment.

    Attributes:
        name: of its table and figures.
        folder: of its run files, in the folder of all results.
        groups: what is tried, to its title in tables.
        seeds: how many runs a group has.
        make_run: takes a group, a seed and whether to be quick, and makes the run. Quick runs are
            some steps of the same thing: they show that it works and measure nothing.
        columns: of the table.
        panels: takes the runs to the charts of each figure, by name.
        claims: that the runs can decide.
        published: columns of others' figures beside the table's own.

    """

    name: str
    folder: str
    groups: Mapping[str, str]
    seeds: int
    make_run: MakeRun
    columns: Sequence[Column]
    panels: Panels
    claims: Sequence[Claim] = ()
    published: Sequence[Published] = ()


@dataclass(frozen=True)
class Comparison:
    """A figure of a repeated run against the interval of the stored ones.

    Attributes:
        figure: title of the column.
        repeated: the new number.
        stored: the number of the stored run of the same seed, NaN if there is none.
        low: lower end of the 95 % prediction interval of a run, from the stored ones.
        high: upper end.

    """

    figure: str
    repeated: float
    stored: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the new number is in the interval, but for the six digits that files keep."""
        slack = 1e-5 * max(abs(self.low), abs(self.high), abs(self.repeated))
        return self.low - slack <= self.repeated <= self.high + slack


def run_missing(
    experiment: Experiment,
    folder: Path,
    *,
    quick: bool = False,
    on_run: Callable[[str], None] | None = None,
) -> None:
    """Make the runs whose files are not there yet; stop it and start it again as you like.

    Args:
        experiment: what to run.
        folder: of the run files.
        quick: one seed, and a few steps of it.
        on_run: is told the name of each run that begins.

    """
    for seed in range(1 if quick else experiment.seeds):
        for group in experiment.groups:
            if (folder / f"{run_name(group, seed)}.jsonl").exists():
                continue
            if on_run is not None:
                on_run(run_name(group, seed))
            write_run(folder, experiment.make_run(group, seed, quick))


def summarise(experiment: Experiment, folder: Path) -> str:
    """Write `NAME.md` and the figures beside the run files, and return the text: table and claims.

    Raises:
        DataError: there are no runs, or one is damaged.

    """
    groups = read_groups(folder, experiment.groups)
    text = table(groups, experiment.columns, experiment.groups, experiment.published)
    if experiment.claims:
        text = f"{text}\n\n{verdicts(groups, experiment.claims)}"
    _write(folder / f"{experiment.name}.md", text + "\n")
    for name, panels in experiment.panels(groups).items():
        _write(folder / f"{name}.svg", figure(panels))
    return text


def repeat(experiment: Experiment, folder: Path, name: str) -> list[Comparison]:
    """Make one run again and compare it with the stored runs of its group.

    Args:
        experiment: what it is a run of.
        folder: of the stored run files, which are left as they are.
        name: of the run, as `vga-key-0`.

    Raises:
        ConfigError: there is no such run.
        DataError: there are no stored runs, or one is damaged.

    """
    group, _, seed = name.rpartition("-")
    if group not in experiment.groups or not seed.isdecimal():
        raise ConfigError(
            f"{name!r} is no run of {experiment.name}: name a group and a seed, as "
            f"{run_name(next(iter(experiment.groups)), 0)}. Groups: {', '.join(experiment.groups)}."
        )
    stored = read_groups(folder, [group])
    cells = intervals(stored, experiment.columns)[group]
    run = experiment.make_run(group, int(seed), False)
    before = next((one for one in stored[group] if one.seed == run.seed), None)
    compared = []
    for column in experiment.columns:
        cell, repeated = cells[column.title], column.figure(run)
        low, high = cell.mean - cell.run_half_width, cell.mean + cell.run_half_width
        if cell.count > 1:
            earlier = math.nan if before is None else column.figure(before)
            compared.append(Comparison(column.title, repeated, earlier, low, high))
    return compared


def _write(path: Path, text: str) -> None:
    with appearing_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
