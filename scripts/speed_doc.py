"""Put the figures of results/benchmark/ into docs/speed.md, between its marks.

    python scripts/speed_doc.py

Figures are read, never typed: results/benchmark/speed.json is of `pellucid benchmark`,
full-resolution.json of scripts/full_resolution.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from pellucid.benchmark.result import read_speed
from pellucid.evaluation.report import speed_text
from pellucid.evaluation.tables import TextTable
from pellucid.files import appearing_whole

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmark"
DOCUMENT = ROOT / "docs" / "speed.md"


def quality_text() -> str:
    document = json.loads((RESULTS / "full-resolution.json").read_text(encoding="utf-8"))
    titles = ["photo", "size", "working size, dB", "full size averaged down, dB", "bands, dB"]
    rows = [
        [
            photo["image"],
            "{} × {}".format(*photo["size"]),
            f"{photo['working_psnr']:.2f}",
            f"{photo['full_psnr']:.2f}",
            f"{photo['tiles_psnr']:.0f}",
        ]
        for photo in document["photos"]
    ]
    return f"Weights {document['weights_id']}.\n\n{TextTable(titles, rows).markdown()}"


def fill(document: Path, figures: Mapping[str, str]) -> None:
    """Put texts between the marks of a document: from `<!-- name -->` to `<!-- end -->`."""
    text = document.read_text(encoding="utf-8")
    for name, figure in figures.items():
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda mark, new=figure: f"{mark[1]}\n{new}\n{mark[2]}", text)
    with appearing_whole(document) as partial:
        partial.write_text(text, encoding="utf-8")


def main() -> None:
    speed = speed_text(read_speed(RESULTS / "speed.json"))
    fill(DOCUMENT, {"speed": speed, "quality": quality_text()})


if __name__ == "__main__":
    main()
