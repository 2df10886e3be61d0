"""Put the tables of results/attention/experiments/ into docs/findings.md, between its marks.

    python scripts/findings.py

Figures are read, never typed: the tables are made anew from the run files, as by
`pellucid attention experiment NAME --table-only`.
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.attention.experiments.catalogue import EXPERIMENTS
from pellucid.attention.experiments.experiment import summarise
from pellucid.attention.experiments.runs import read_run
from pellucid.files import appearing_whole

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
    text = DOCUMENT.read_text(encoding="utf-8")
    figures = {
        name: summarise(experiment, RESULTS / experiment.folder)
        for name, experiment in EXPERIMENTS.items()
    }
    figures["sizes"] = sizes_text("backcopy")
    figures |= {f"{name}-sizes": sizes_text(name) for name in ("language", "masked")}
    for name, figure in figures.items():
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda mark, new=figure: f"{mark[1]}\n{new}\n\n{mark[2]}", text)
    with appearing_whole(DOCUMENT) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
