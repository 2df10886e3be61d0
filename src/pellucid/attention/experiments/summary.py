"""From run files to a table and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.attention.experiments.charts import Line, Panel
from pellucid.attention.experiments.runs import Point, Run, end, peak, start, value
from pellucid.attention.experiments.statistics import Interval, interval

Groups = Mapping[str, Sequence[Run]]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: its head.
        figure: takes a run to its number, NaN where it does not exist.

    """

    title: str
    figure: Callable[[Run], float]


@dataclass(frozen=True)
class Published:
    """A column of somebody else's figures, to stand beside one's own.

    Attributes:
        title: its head, which says whose they are.
        cells: a group to its figure as it was published.

    """

    title: str
    cells: Mapping[str, str]


def at_start(name: str, title: str) -> Column:
    """Return the column of a figure's first measurement."""
    return Column(title, lambda run: start(run, name))


def at_end(name: str, title: str) -> Column:
    """Return the column of a figure's last measurement."""
    return Column(title, lambda run: end(run, name))


def change(name: str, title: str) -> Column:
    """Return the column of a figure's last measurement less its first."""
    return Column(title, lambda run: end(run, name) - start(run, name))


def highest(name: str, title: str) -> Column:
    """Return the column of a figure's highest measurement of the run."""
    return Column(title, lambda run: peak(run, name))


def intervals(groups: Groups, columns: Sequence[Column]) -> dict[str, dict[str, Interval]]:
    """Compute every cell of a table, by group and column title."""
    return {
        group: {c.title: interval([c.figure(run) for run in runs]) for c in columns}
        for group, runs in groups.items()
    }


def table(
    groups: Groups,
    columns: Sequence[Column],
    titles: Mapping[str, str],
    published: Sequence[Published] = (),
) -> str:
    """Return a Markdown table: a row a group, means over seeds with 95 % t-intervals."""
    head = ["", *(column.title for column in columns), "seeds", *(p.title for p in published)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for group, cells in intervals(groups, columns).items():
        row = [titles[group], *map(str, cells.values()), str(len(groups[group]))]
        row += [column.cells.get(group, "–") for column in published]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def panel(
    groups: Groups, name: str, title: str, titles: Mapping[str, str], *, logarithmic: bool = False
) -> Panel:
    """Return the chart of one figure over the steps, a line a group."""
    lines = [_line(titles[group], runs, name) for group, runs in groups.items()]
    return Panel(title, lines, logarithmic)


def _line(label: str, runs: Sequence[Run], name: str) -> Line:
    points = [p for p in zip(*(run.points for run in runs), strict=True) if _known(p, name)]
    rows = [[value(point, name) for point in same_step] for same_step in points]
    return Line(
        label,
        [value(same_step[0], "step") for same_step in points],
        [min(row) for row in rows],
        [sum(row) / len(row) for row in rows],
        [max(row) for row in rows],
    )


def _known(points: tuple[Point, ...], name: str) -> bool:
    return all(point.get(name) is not None for point in points)
