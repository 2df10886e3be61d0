"""Compare ways to build and teach the language path: equal budgets, three seeds.

    python scripts/ablate_language.py PHOTOS

The encoder is ImageNet's and stays; everything else starts anew from each seed. Runs that are
already in results/ablation/language.json are kept, so that the script may be stopped and resumed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from pellucid.files import appearing_whole
from pellucid.network.pretrained import load_imagenet_weights
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.training.ablation import SINK_SHARE, Variant, measure, summarise, variants
from pellucid.training.photos import PhotoStore
from pellucid.training.words_first import Glances, WordsFirst, WordsFirstConfig

RESULTS = Path("results/ablation/language.json")
PAGE = Path("docs/ablation.md")
PAGE_HEAD = """\
# What each part of the language path is for

Written by `python scripts/ablate_language.py PHOTOS` from
[its results](../results/ablation/language.json). Do not edit.

Every row is the language path (hypercolumn, AGAM, description encoder, language gate, AGIM) taught
by `pellucid.training.words_first` from the same {groups} groups of {group} mixtures seen by the
frozen encoder as ImageNet made it, {rounds} rounds, {seeds} seeds; measured on {held_out} groups of
mixtures of validation photos, at 8×8 places. Mean over the seeds, lowest to highest in brackets. It
is a stage at a tenth of the cost of training the whole network, so it ranks ways to use words; it
does not tell what a decoder makes of them.

- **told apart**: symmetric 50:50 mixtures, both descriptions: T̂ − R̂ points the way of T − R.
- **right / wrong words**: PSNR of T at 8×8 places above that without words, on sharp reflections;
  both descriptions right, or both of other photos.
- **gate**: mean language gate of the transmission's description.
- **sinks**: share of (head, description) pairs of six words or more in which one word takes over
  {sink:.0%} of the attention, mean over all places. **drain**: ‖v‖ of the most attended word over
  the median of its description.

"""
COLUMNS = {
    "told apart": ("told apart", 100.0, "%"),
    "right words": ("right words, dB", 1.0, "dB"),
    "wrong words": ("wrong words, dB", 1.0, "dB"),
    "gate, right": ("gate, right words", 1.0, ""),
    "gate, wrong": ("gate, wrong words", 1.0, ""),
    "sinks": ("sink rate", 100.0, "%"),
    "drain": ("drain ratio", 1.0, ""),
}
STAGE = WordsFirstConfig(groups=32, held_out=8, rounds=3)
SEEDS = (0, 1, 2)


def fresh_network(config: NetworkConfig, seed: int) -> SeparationNetwork:
    torch.manual_seed(seed)
    network = SeparationNetwork(config)
    load_imagenet_weights(network.encoder)
    return network


def run(variant: Variant, seed: int, glances: Glances, held_out: Glances) -> dict[str, float]:
    stage = WordsFirst(fresh_network(variant.network, seed), variant.stage)
    for number in range(variant.stage.rounds):
        stage.learn(glances, number)
    return measure(stage, held_out)


def read_results() -> dict:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"runs": {}}


def write_results(results: dict) -> None:
    stage = asdict(STAGE)
    del stage["batch"]
    results["stage"] = stage | {"group": STAGE.batch.group, "crop": STAGE.batch.crop}
    results["summary"] = {
        name: summarise(list(runs.values())) for name, runs in results["runs"].items()
    }
    with appearing_whole(RESULTS) as partial:
        partial.write_text(json.dumps(results, indent=1) + "\n")


def write_page(results: dict) -> None:
    seeds = max(len(runs) for runs in results["runs"].values())
    head = PAGE_HEAD.format(**results["stage"], seeds=seeds, sink=SINK_SHARE)
    lines = ["| variant | " + " | ".join(COLUMNS) + " |", "| --- " * (len(COLUMNS) + 1) + "|"]
    for name, summary in results["summary"].items():
        cells = [cell(summary[key], scale, unit) for key, scale, unit in COLUMNS.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    with appearing_whole(PAGE) as partial:
        partial.write_text(head + "\n".join(lines) + "\n", "utf-8")


def cell(figure: dict[str, float], scale: float, unit: str) -> str:
    mean, low, high = (figure[key] * scale for key in ("mean", "low", "high"))
    digits = 1 if unit == "%" else 2
    return f"{mean:.{digits}f}{unit and ' ' + unit} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    told = parser.parse_args()
    network = fresh_network(NetworkConfig.lite(), 0)
    glances, held_out = (
        Glances(network, PhotoStore(told.photos, split, told.cache), STAGE, count)
        for split, count in (("train", STAGE.groups), ("val", STAGE.held_out))
    )
    results = read_results()
    for seed in SEEDS:
        for variant in variants(NetworkConfig.lite(), STAGE):
            runs = results["runs"].setdefault(variant.name, {})
            if str(seed) in runs:
                continue
            figures = run(variant, seed, glances, held_out)
            runs[str(seed)] = {name: round(value, 4) for name, value in figures.items()}
            print(variant.name, seed, runs[str(seed)], flush=True)
            write_results(results)
            write_page(results)


if __name__ == "__main__":
    main()
