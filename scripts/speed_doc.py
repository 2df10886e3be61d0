"""Put the figures of results/benchmark/ into docs/speed.md, between its marks.

    python scripts/speed_doc.py

Figures are read, never typed: results/benchmark/speed.json is of `pellucid benchmark`,
full-resolution.json of scripts/full_resolution.py; results/int8/attention.json is of
scripts/int8_attention.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marked import fill

from pellucid.benchmark.result import read_speed
from pellucid.evaluation.report import speed_text
from pellucid.evaluation.tables import TextTable

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmark"
ATTENTION = ROOT / "results" / "int8" / "attention.json"
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


def int8_attention_text() -> str:
    if not ATTENTION.exists():
        return "Not measured.\n"
    document = json.loads(ATTENTION.read_text(encoding="utf-8"))
    tuning = document["tuning"]
    head = (
        f"From {document['weights']} {document['sha256'][:12]}: {tuning['steps']} steps of "
        f"{tuning['group']} mixtures of {tuning['crop']} pixels, of {tuning['groups']} groups that "
        f"all networks share; {document['calibration_photos']} photos to calibrate on. Means over "
        "seeds, lowest to highest in brackets."
    )
    titles = ["attention", "seeds", "set", "words", "T, dB"]
    titles += [f"{measure}, {what}" for what in INT8_PARTS for measure in ("lost", "near")]
    rows = [
        row
        for attention, runs in document["runs"].items()
        for row in _int8_rows(attention, list(runs.values()))
    ]
    return f"{head}\n\n{TextTable(titles, rows).markdown()}"


INT8_PARTS = ("1×1 convolutions", "matrix products", "both")


def _int8_rows(attention: str, runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for name, modes in runs[0].items():
        for mode in modes:
            seeds = [run[name][mode] for run in runs]
            row = [attention, str(len(runs)), name, mode]
            row.append(_over_seeds([seed[INT8_PARTS[0]]["psnr"]["mean"] for seed in seeds], 2))
            for part in INT8_PARTS:
                row.append(_over_seeds([seed[part]["lost"]["mean"] for seed in seeds], 3))
                row.append(_over_seeds([seed[part]["distance"]["mean"] for seed in seeds], 1))
            rows.append(row)
    return rows


def _over_seeds(values: Sequence[float], digits: int) -> str:
    mean, low, high = (
        f"{value:.{digits}f}" for value in (sum(values) / len(values), min(values), max(values))
    )
    return mean if low == high else f"{mean} [{low}, {high}]"


def write_document() -> None:
    speed = speed_text(read_speed(RESULTS / "speed.json"))
    figures = {
        "speed": speed,
        "quality": quality_text(),
        "int8-attention": int8_attention_text(),
    }
    fill(DOCUMENT, {name: f"\n{figure}\n" for name, figure in figures.items()})


if __name__ == "__main__":
    write_document()
