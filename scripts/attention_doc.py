"""Put the figures of results/attention/ into docs/diagnostics.md and docs/quantisation.md.

    python scripts/attention_doc.py

Figures are read, never typed: memory.json is of `pellucid.attention.diagnostics.memory`, the
reports of `pellucid attention quantise`, crosscheck.json of scripts/crosscheck_minilm.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from marked import fill

from pellucid.attention.quantisation.report import QuantisationReport, SchemeReport
from pellucid.attention.quantisation.table import show_estimate
from pellucid.evaluation.tables import TextTable

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "attention"
MODULES = 6


def memory_table() -> str:
    rows = json.loads((RESULTS / "memory.json").read_text(encoding="utf-8"))["rows"]
    titles = ["tokens", "peak MiB", "MiB a thousand tokens", "one layer's maps would take"]
    table = TextTable(
        titles,
        [
            [
                str(row["tokens"]),
                f"{row['mebibytes']:.0f}",
                f"{1000 * row['mebibytes'] / row['tokens']:.0f}",
                f"{row['map_mebibytes']:.0f}",
            ]
            for row in rows
        ],
    )
    first, before, last = rows[0], rows[-2], rows[-1]
    return (
        f"{table.markdown()}\n"
        f"{last['tokens'] / first['tokens']:.0f} times the tokens take "
        f"{last['mebibytes'] / first['mebibytes']:.1f} times the memory, and the last doubling "
        f"{last['mebibytes'] / before['mebibytes']:.1f} times; maps would take 4 times with each "
        "doubling.\n"
    )


def schemes_table(report: QuantisationReport) -> str:
    figures = list(report.definitions)
    parts = list(report.schemes[0].parts)
    rows = [
        [
            str(scheme.config),
            *(show_estimate(scheme.figures[name]) for name in figures),
            *(show_estimate(scheme.parts[part]) for part in parts),
        ]
        for scheme in report.schemes
    ]
    titles = ["bits", *figures, *(f"{part} alone" for part in parts)]
    return TextTable(titles, rows).markdown()


def modules_table(report: QuantisationReport, scheme: SchemeReport) -> str:
    rows = []
    for site in scheme.costliest()[:MODULES]:
        known = {name: db for name, db in site.activation_db.items() if math.isfinite(db)}
        worst = min(known, key=lambda name: known[name])
        weight = f"{site.weight_db:.1f}" if math.isfinite(site.weight_db) else "–"
        activation = f"{known[worst]:.1f} ({worst})"
        rows.append(
            [
                f"`{site.path}`",
                show_estimate(site.cost),
                weight,
                activation,
                f"{site.output_db:.1f}",
            ]
        )
    cost = f"{report.cost}, alone"
    titles = [str(scheme.config), cost, "weight, dB", "worst activation, dB", "output, dB"]
    return TextTable(titles, rows).markdown()


def agreement_table() -> str:
    record = json.loads((RESULTS / "quantise-minilm" / "crosscheck.json").read_text("utf-8"))
    titles = ["blocks", "integer products", "float products", "simulated, dB", "computed, dB"]
    rows = [
        [
            str(row["blocks"]),
            str(sum(row["integer_products"].values())),
            str(row["float_products"]),
            *(f"{row[name]:.2f}" for name in ("simulated_db", "computed_db", "agreement_db")),
        ]
        for row in record["rows"]
    ]
    return TextTable([*titles, "computed against simulated, dB"], rows).markdown()


def quantisation_figures(names: Sequence[str]) -> dict[str, str]:
    figures = {"crosscheck": agreement_table()}
    for name in names:
        text = (RESULTS / f"quantise-{name}" / "report.json").read_text(encoding="utf-8")
        report = QuantisationReport.from_json(text)
        figures[f"{name} schemes"] = schemes_table(report)
        figures[f"{name} modules"] = modules_table(report, report.schemes[0])
    return figures


def documents() -> dict[str, dict[str, str]]:
    """Return what goes between the marks of each document."""
    return {
        "diagnostics.md": {"memory": memory_table()},
        "quantisation.md": quantisation_figures(("minilm", "decoder")),
    }


def main() -> None:
    for name, figures in documents().items():
        parts = {mark: f"\n{figure}\n" for mark, figure in figures.items()}
        fill(ROOT / "docs" / name, parts)


if __name__ == "__main__":
    main()
