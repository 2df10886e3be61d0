"""Put the tables of results/attention/experiments/ into docs/findings.md, between its marks.

    python scripts/findings.py

Figures are read, never typed: the tables are made anew from the run files, as by
`pellucid attention experiment NAME --table-only`.
"""

from __future__ import annotations

from pathlib import Path

from marked import fill

from pellucid.attention.experiments.catalogue import EXPERIMENTS
from pellucid.attention.experiments.experiment import summarise
from pellucid.attention.experiments.runs import read_run

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "attention" / "experiments"
DOCUMENT = ROOT / "docs" / "findings.md"


def sizes_text(name: str) -> str:
    folder = RESULTS / EXPERIMENTS[name].folder
    config = read_run(next(iter(sorted(folder.glob("*.jsonl"))))).config
    return (
        f"Width {config['dim']}, length {config['length']}, batch {config['batch']}, "
        f"{config['steps']} steps of AdamW at {config['learning_rate']:g}, measured on "
        f"{config['held_out']} sequences."
    )


def main() -> None:
    figures = {
        name: summarise(experiment, RESULTS / experiment.folder)
        for name, experiment in EXPERIMENTS.items()
    }
    figures["sizes"] = sizes_text("backcopy")
    figures |= {f"{name}-sizes": sizes_text(name) for name in ("language", "masked")}
    fill(DOCUMENT, {name: f"\n{figure}\n\n" for name, figure in figures.items()})


if __name__ == "__main__":
    main()
