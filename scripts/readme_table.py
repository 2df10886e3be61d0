"""Write the README's table of figures, from result files.

python scripts/readme_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marked import fill

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SET = "real20-dev"
SHOWN = {
    ("untouched", "none"): "the photo as it is",
    ("pellucid", "none"): "Pellucid, no words",
    ("pellucid", "right"): "Pellucid, words for both layers",
    ("RAGNet", "none"): "RAGNet's published outputs",
}


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text("utf-8"))


def own_speed() -> str:
    """Warm seconds of one megapixel, by the benchmark's row nearest to it."""
    rows = read("results/benchmark/speed.json")["rows"]
    row = min(rows, key=lambda row: abs(row["width"] * row["height"] / 1e6 - 1.0))
    return f"{row['warm']['seconds'] / (row['width'] * row['height'] / 1e6):.1f} s"


def peer_speed(name: str) -> str:
    peers = read("src/pellucid/evaluation/peers_speed.json")
    return f"{peers['cpu_seconds'][name] / peers['megapixels']:.0f} s"


def line(run: dict[str, Any]) -> str:
    method, figures = run["method"], run["figures"]
    psnr, ssim = figures["transmission.psnr"], figures["transmission.ssim"]
    seconds = {"untouched": "–", "pellucid": own_speed()}.get(method) or peer_speed(method)
    return (
        f"| {SHOWN[method, run['mode']]} | {psnr['mean']:.2f} [{psnr['low']:.2f}, "
        f"{psnr['high']:.2f}] | {ssim['mean']:.3f} | {seconds} |"
    )


def table() -> str:
    summary = read(f"results/{SET}/summary.json")
    runs = {(run["method"], run["mode"]): run for run in summary["runs"]}
    head = [
        f"| {summary['images']} real pairs ({SET}) | PSNR of T, dB | SSIM | CPU, 1 Mpx |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(line(runs[key]) for key in SHOWN if key in runs)])


def main() -> None:
    fill(README, {"figures: scripts/readme_table.py": f"{table()}\n"})


if __name__ == "__main__":
    main()
