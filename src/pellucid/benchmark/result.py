"""The benchmark's result file, `speed.json`, and its table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.benchmark.machine import Machine
from pellucid.benchmark.measure import Cost, Row
from pellucid.errors import DataError
from pellucid.files import appearing_whole
from pellucid.untrusted import parse_json

FORMAT = 1
TITLES = (
    "photo",
    "cold, s",
    "cold, CPU s",
    "cold, peak MB",
    "warm, s",
    "warm, CPU s",
    "warm, peak MB",
    "warm, s per Mpx",
)


@dataclass(frozen=True)
class Speed:
    """What a benchmark found.

    Attributes:
        weights_id: of the model.
        repetitions: of which times are medians.
    """

    weights_id: str
    repetitions: int
    machine: Machine
    rows: Sequence[Row]


def write_speed(path: Path, speed: Speed) -> None:
    """Write `speed.json`, times to a millisecond, memory to a million bytes."""
    document = {"format": FORMAT, **asdict(speed), "rows": [_row(row) for row in speed.rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing_whole(path) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_speed(path: Path) -> Speed:
    """Read a `speed.json` back.

    Raises:
        DataError: it is none.
    """
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise DataError(f"{path}: another version's result: run `pellucid benchmark` again")
        machine = Machine(**document.pop("machine"))
        rows = [_read_row(row) for row in document.pop("rows")]
        return Speed(machine=machine, rows=rows, **document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a result of `pellucid benchmark` ({error!r})") from error


def cells(row: Row) -> list[str]:
    """Return one line of the table under `TITLES`."""
    name = f"{round(row.megapixels, 2):g} Mpx" + ("" if row.device == "cpu" else f", {row.device}")
    cold = ["–"] * 3 if row.cold is None else _cost_cells(row.cold)
    return [name, *cold, *_cost_cells(row.warm), f"{row.seconds_per_megapixel:.2f}"]


def machine_line(machine: Machine) -> str:
    """Describe the machine in one sentence."""
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    memory = "" if machine.memory_gb is None else f", {machine.memory_gb:g} GB of memory"
    load = "" if machine.load is None else f" Load before the measurement: {machine.load:.2f}."
    return (
        f"{machine.processor}, {machine.threads} threads{memory}; {machine.system}, Python "
        f"{machine.python}, {packages}.{load}"
    )


def _cost_cells(cost: Cost) -> list[str]:
    return [f"{cost.seconds:.2f}", f"{cost.cpu_seconds:.2f}", f"{cost.peak_mb:.0f}"]


def _row(row: Row) -> dict[str, Any]:
    costs = {"cold": row.cold, "warm": row.warm}
    rounded = {name: None if cost is None else _rounded(cost) for name, cost in costs.items()}
    return asdict(row) | rounded


def _rounded(cost: Cost) -> dict[str, float]:
    return {
        "seconds": round(cost.seconds, 3),
        "cpu_seconds": round(cost.cpu_seconds, 3),
        "peak_mb": round(cost.peak_mb),
    }


def _read_row(row: dict[str, Any]) -> Row:
    cold = None if row["cold"] is None else Cost(**row["cold"])
    return Row(**row | {"cold": cold, "warm": Cost(**row["warm"])})
