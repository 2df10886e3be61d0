"""Compare weights before one of them is shipped: a line of figures each.

    python scripts/compare_weights.py ../shared/data A.safetensors B.safetensors --mixtures 80

The figures are those of `pellucid evaluate` at the stated protocol, from the exported model, with
fewer mixtures: transmission PSNR in dB on real pairs without and with words and on synthetic ones
without, then every check. For choosing between moments of a run, averages (`scripts/average.py`)
and settings, by development pairs and validation photos only. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pellucid.evaluation.checks import CheckPlan, run_checks
from pellucid.evaluation.methods import Method, separator_method
from pellucid.evaluation.mixtures import Captioned, read_validation_photos
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import read_pairs_file
from pellucid.evaluation.protocol import STATED
from pellucid.evaluation.run import answer_all, separator_modes, summarise_runs
from pellucid.network.export import ship
from pellucid.network.growth import with_idle_parts
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.network.weights import load_weights
from pellucid.separator import Separator

REAL = "real/real20-dev/pairs.jsonl"
SYNTHETIC = "synthetic/ceilnet-table2-dev/pairs.jsonl"
CHECKS = ("symmetric", "silent", "sharp", "wrong T", "wrong R", "wrong", "plain", "told", "soft")
"""Short names of the checks, in their order."""


def main() -> None:
    """Print a heading and a line for each file of weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder with photos, real and synthetic")
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--mixtures", type=int, default=80, help="of each kind of check")
    given = parser.parse_args()
    photos = read_validation_photos(given.data / "photos")
    plan = CheckPlan(mixtures=given.mixtures)
    names = ("real", "words", "ceilnet", *CHECKS)
    print("  ".join(f"{name:>9}" for name in names))
    for path in given.weights:
        figures = _figures(_method(path), given.data, photos, plan)
        print("  ".join(f"{value:9.2f}" for value in figures), f"  {path.name}", flush=True)


def _method(weights: Path) -> Method:
    config = NetworkConfig.lite()
    complete = with_idle_parts(SeparationNetwork(config), load_weights(weights))
    with tempfile.TemporaryDirectory() as folder:
        ship(complete, config, Path(folder), "lite")
        return separator_method(Separator.load(Path(folder) / "lite.onnx"))


def _figures(method: Method, data: Path, photos: list[Captioned], plan: CheckPlan) -> list[float]:
    real = _on_pairs(method, data / REAL, [Mode.NONE, Mode.RIGHT])
    synthetic = _on_pairs(method, data / SYNTHETIC, [Mode.NONE])
    checks = [check.figure.mean for check in run_checks(method, photos, plan)]
    assert len(checks) == len(CHECKS)
    return real + synthetic + checks


def _on_pairs(method: Method, pairs_file: Path, modes: list[Mode]) -> list[float]:
    pairs = read_pairs_file(pairs_file)
    contenders = separator_modes("weights", method, modes, pairs, STATED.seed)
    answers = answer_all(pairs, contenders, STATED)
    scores = [answer.score for _, photo in answers for answer in photo]
    runs = summarise_runs(scores, STATED)
    return [run.figures["transmission.psnr"].mean for run in runs]


if __name__ == "__main__":
    main()
