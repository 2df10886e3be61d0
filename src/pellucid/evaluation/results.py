"""Result files: figures of a run as `summary.json`, scores of each image as `images.jsonl`.

They hold names and numbers only, no paths, so that they can be kept and compared anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from pellucid.errors import DataError
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import Figure
from pellucid.evaluation.run import Run, Score
from pellucid.files import appearing_whole
from pellucid.untrusted import parse_json

FORMAT = 1


@dataclass(frozen=True)
class Summary:
    """What one evaluation found about a set."""

    set_name: str
    images: int
    protocol: str
    runs: list[Run]


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Write a text file under a temporary name; it takes its place once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing_whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a result file."""
    with replacing(path) as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")


def write_summary(path: Path, summary: Summary) -> None:
    """Write `summary.json`; figures rounded to 5 decimals."""
    document = {
        "format": FORMAT,
        "set": summary.set_name,
        "images": summary.images,
        "protocol": summary.protocol,
        "runs": [
            {
                "method": run.method,
                "mode": str(run.mode),
                "figures": {name: rounded(figure) for name, figure in run.figures.items()},
            }
            for run in summary.runs
        ],
    }
    write_json(path, document)


def write_images(path: Path, scores: Iterable[Score]) -> None:
    """Write one line an image and contender: its method, mode, name and measures."""
    with replacing(path) as file:
        for one in scores:
            line = {"method": one.method, "mode": str(one.mode), "image": one.image}
            measures = {key: round(value, 5) for key, value in one.measures.items()}
            file.write(json.dumps(line | measures, ensure_ascii=False) + "\n")


def read_summary(path: Path) -> Summary:
    """Read a `summary.json` back; raises `DataError` if it is not one."""
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise DataError(f"{path}: format {document['format']}, this version reads {FORMAT}")
        runs = [_read_run(run) for run in document["runs"]]
        return Summary(document["set"], document["images"], document["protocol"], runs)
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not a summary of an evaluation ({error!r})") from error


def _read_run(run: dict) -> Run:
    figures = {name: Figure(**figure) for name, figure in run["figures"].items()}
    return Run(run["method"], Mode(run["mode"]), figures)


def rounded(figure: Figure) -> dict[str, float]:
    """Return a figure for JSON, to 5 decimals."""
    return {key: round(value, 5) for key, value in asdict(figure).items()}
