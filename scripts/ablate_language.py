"""Compare ways to build and teach the language path: equal budgets, three seeds.

    python scripts/ablate_language.py PHOTOS

The encoder is ImageNet's and stays; everything else starts anew from each seed. Runs that are
already in results/ablation/language.json are kept, so that the script may be stopped and resumed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pellucid.attention.experiments.statistics import interval
from pellucid.evaluation.tables import TextTable
from pellucid.files import appearing_whole
from pellucid.network.pretrained import load_imagenet_weights
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.synthesis.recipes import SHARP, SYMMETRIC, SynthesisConfig
from pellucid.training.ablation import (
    RIGHT,
    SINK_SHARE,
    Variant,
    measure,
    summarise,
    teach,
    variants,
    without_words,
)
from pellucid.training.batches import BatchConfig
from pellucid.training.few_bits import losses_in_bits
from pellucid.training.photos import PhotoStore
from pellucid.training.words_first import SAID, Glances, WordsFirstConfig

RESULTS = Path("results/ablation/language.json")
PAGE = Path("docs/ablation.md")
PAGE_HEAD = """\
# What each part of the language path is for

Written by `python scripts/ablate_language.py PHOTOS` from
[its results](../results/ablation/language.json). Do not edit.

Every row is the language path (hypercolumn, AGAM, description encoder, language gate, AGIM) taught
by `pellucid.training.words_first` from the same {groups} groups of {group} mixtures seen by the
frozen encoder as ImageNet made it, {rounds} rounds; measured on {held_out} groups of mixtures of
validation photos, at {places}×{places} places. Mean over the seeds, of which there are up to
{seeds}, lowest to highest in brackets. It is a small part of the cost of training the whole
network, and a short stage, so it ranks ways to use words early in training; it does not tell what a
decoder makes of them, nor what ten times the mixtures would.

- **told apart**: symmetric 50:50 mixtures, both descriptions: share of the outputs that are nearer
  to their own layer than to the other's.
- **without words**: PSNR of T at these places with nothing said, on sharp reflections.
- **right / wrong words**: the same above that; both descriptions right, or both of other photos.
- **gate**: mean language gate of the transmission's description.
- **sinks**: share of (head, description) pairs of six words or more in which one word takes over
  {sink:.0%} of the attention, mean over all places. **drain**: ‖v‖ of the most attended word over
  the median of its description.

"As shipped" is key-side VGA (§3.2 of its paper). "vga-mixed attention" is query-side VGA by this
library's definition for cross-attention ([attention.md](attention.md)): App. B's own gate needs a
value of the query, which a place has not. "No text" is never told anything, neither to learn from
nor to be measured on. The shipped stage has no layer correspondence loss: what asks each layer to
be nearer to its own truth than to the other's is the assignment loss, so that one is what is left
out; the trainer's own correspondence, descriptions against layers, is put in as a row of its own.

"""
COLUMNS = {
    "told apart": ("told apart", 100.0, " %"),
    "without words": ("without words, dB", 1.0, " dB"),
    "right words": ("right words, dB", 1.0, " dB"),
    "wrong words": ("wrong words, dB", 1.0, " dB"),
    "gate, right": ("gate, right words", 1.0, ""),
    "gate, wrong": ("gate, wrong words", 1.0, ""),
    "sinks": ("sink rate", 100.0, " %"),
    "drain": ("drain ratio", 1.0, ""),
}
DIFFERENCES = """
## Against the shipped design

Difference to "as shipped", paired by seed, with its 95 % t-interval over the seeds that both have;
told apart and sinks in points of a percent. Bold where the interval leaves out zero; of this many
figures, one in twenty does so by chance.

"""
SHOWN = SynthesisConfig(
    recipes=(
        replace(SYMMETRIC, share=0.7),
        replace(
            SHARP,
            share=0.3,
            low_key=0.0,
            high_key=0.0,
            contrasty=0.0,
            unfocused=0.0,
            toned=0.0,
            evened=False,
        ),
    ),
    soft=0.0,
    cast=0.0,
    noise=0.5,
)
STAGE = WordsFirstConfig(
    groups=96,
    held_out=12,
    rounds=2,
    places=4,
    batch=BatchConfig(group=64, captions=SAID, synthesis=SHOWN),
)
SEEDS = (0, 1, 2)


def fresh_network(config: NetworkConfig, seed: int) -> SeparationNetwork:
    torch.manual_seed(seed)
    network = SeparationNetwork(config)
    load_imagenet_weights(network.encoder)
    return network


def run(variant: Variant, seed: int, glances: Glances, held_out: Glances) -> dict[str, float]:
    stage = teach(variant, fresh_network(variant.network, seed), glances)
    figures = measure(stage, held_out)
    if not variant.spoken:
        return without_words(figures)
    if variant.stage != STAGE:
        return figures  # few bits are of interest where the network differs
    for scheme, losses in losses_in_bits(stage, glances, held_out, RIGHT).items():
        for number, loss in enumerate(losses):
            figures[f"{scheme} loss, dB, calibration {number}"] = loss
    return figures


def stated(config: WordsFirstConfig) -> dict[str, Any]:
    """Return the settings of the stage as the results state them."""
    settings = asdict(config)
    del settings["batch"]
    return settings | {"group": config.batch.group, "crop": config.batch.crop}


def read_results() -> dict[str, Any]:
    """Return the runs of this stage that are there already."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    same = results.get("stage") == stated(STAGE)
    return results if same else {"stage": stated(STAGE), "runs": {}}


def write_results(results: dict[str, Any]) -> None:
    results["summary"] = {
        name: summarise(list(runs.values())) for name, runs in results["runs"].items() if runs
    }
    with appearing_whole(RESULTS) as partial:
        partial.write_text(json.dumps(results, indent=1) + "\n")


def write_page(results: dict[str, Any]) -> None:
    seeds = max(len(runs) for runs in results["runs"].values())
    text = PAGE_HEAD.format(**results["stage"], seeds=seeds, sink=SINK_SHARE)
    titles = ["variant", "seeds", *COLUMNS]
    rows = [
        [name, str(len(results["runs"][name])), *cells(summary)]
        for name, summary in results["summary"].items()
    ]
    text += TextTable(titles, rows).markdown()
    if seeds > 1:
        text += DIFFERENCES + TextTable(titles, differences(results["runs"])).markdown()
    with appearing_whole(PAGE) as partial:
        partial.write_text(text, "utf-8")


def cells(summary: dict[str, dict[str, float]]) -> list[str]:
    return [
        cell(summary[key], scale, unit) if key in summary else "–"
        for key, scale, unit in COLUMNS.values()
    ]


def cell(figure: dict[str, float], scale: float, unit: str) -> str:
    mean, low, high = (figure[key] * scale for key in ("mean", "low", "high"))
    digits = 1 if "%" in unit else 2
    return f"{mean:.{digits}f}{unit} [{low:.{digits}f}, {high:.{digits}f}]"


def differences(runs: dict[str, dict[str, dict[str, float]]]) -> list[list[str]]:
    """Return a row for each variant but the first; seeds that one of the two lacks are left out."""
    (_, first), *others = runs.items()
    return [
        [
            name,
            str(len(own.keys() & first.keys())),
            *(difference(first, own, key, scale) for key, scale, _ in COLUMNS.values()),
        ]
        for name, own in others
    ]


def difference(
    first: dict[str, dict[str, float]], own: dict[str, dict[str, float]], key: str, scale: float
) -> str:
    pairs = [(own[seed], first[seed]) for seed in own if seed in first]
    known = [scale * (one[key] - other[key]) for one, other in pairs if key in one]
    found = interval(known)
    beyond = abs(found.mean) > found.half_width  # false where either is not known
    return f"**{found}**" if beyond else str(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    parser.add_argument("--page-only", action="store_true", help="write the page anew, run nothing")
    told = parser.parse_args()
    if told.page_only:
        write_page(json.loads(RESULTS.read_text("utf-8")))  # of whichever stage they are
    else:
        run_all(told.photos, told.cache)


def run_all(photos: Path, cache: Path) -> None:
    """Run what is missing, and write results and page after each."""
    network = fresh_network(NetworkConfig.lite(), 0)
    glances, held_out = (
        Glances(network, PhotoStore(photos, split, cache), STAGE, count)
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
