"""Put the separator's own cross-attention into docs/findings.md, between its marks.

    python scripts/vision.py

Figures are read, never typed: results/ablation/language.json is of scripts/ablate_language.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from marked import fill

from pellucid.attention.experiments.statistics import interval
from pellucid.evaluation.tables import TextTable

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "ablation" / "language.json"
DOCUMENT = ROOT / "docs" / "findings.md"
ROWS = {
    "softmax attention": "softmax",
    "iga attention": "IGA, key",
    "as shipped": "VGA, key",
    "iga-query attention": "IGA, query",
    "vga-mixed attention": "VGA, query (mixed)",
}
COLUMNS = {
    "sink rate, %": ("sink rate", 100.0),
    "‖v‖ of the strongest word / median": ("drain ratio", 1.0),
    "told apart, %": ("told apart", 100.0),
    "W8A8, dB lost": ("W8A8 loss, dB", 1.0),
    "W4A8, dB lost": ("W4A8 loss, dB", 1.0),
}


def vision_text() -> str:
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    titles = ["", *COLUMNS, "seeds"]
    rows = []
    for name, title in ROWS.items():
        runs = list(document["runs"].get(name, {}).values())
        cells = [
            str(interval([scale * mean_of(run, key) for run in runs]))
            for key, scale in COLUMNS.values()
        ]
        rows.append([title, *cells, str(len(runs))])
    return TextTable(titles, rows).markdown()


def mean_of(run: Mapping[str, float], key: str) -> float:
    """Return a figure of one run, mean over calibrations where it has several."""
    values = [value for name, value in run.items() if name.split(", calibration")[0] == key]
    return sum(values) / len(values)


if __name__ == "__main__":
    fill(DOCUMENT, {"vision": f"\n{vision_text()}\n"})
