"""Compare what 8 bits cost a whole separator with softmax and with gated word attention.

    python scripts/int8_attention.py PHOTOS FOLDER... [--cache CACHE] [--attention NAME...]

Every network is the shipped one whose words' way in was taught anew, equally, under one kind of
cross-attention (`pellucid.training.language_tuning`). PHOTOS is a folder with captions.jsonl: the
networks learn from its photos of the split "train", and 24 of the split "val" are calibrated on.
Each FOLDER is a set that `pellucid evaluate` reads. Results go to results/int8/attention.json and
from there into docs/speed.md; runs that are there already, of the same weights and settings, are
kept. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from speed_doc import write_document

from pellucid.evaluation.int8 import calibration_feeds
from pellucid.evaluation.layouts import read_pairs
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import Pair
from pellucid.evaluation.protocol import STATED
from pellucid.evaluation.rounding import compare
from pellucid.evaluation.study import applicable_modes
from pellucid.files import appearing_whole
from pellucid.network.export import ship
from pellucid.network.int8 import Part, quantise
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.training.batches import Batches
from pellucid.training.language_tuning import (
    Looked,
    TuningConfig,
    look,
    teach_words,
    with_attention,
)
from pellucid.training.photos import PhotoStore, read_captions

WEIGHTS = Path("src/pellucid/weights/lite.safetensors")
RESULTS = Path("results/int8/attention.json")
TUNING = TuningConfig()
CALIBRATION_PHOTOS = 24
SEEDS = (0, 1)
KINDS: dict[str, list[Part]] = {
    "1×1 convolutions": ["convolutions"],
    "matrix products": ["products"],
    "both": ["convolutions", "products"],
}
"""What computes with 8 bits."""


def stated() -> dict[str, Any]:
    """Return everything that the figures depend on."""
    settings = asdict(TUNING)
    batch = settings.pop("batch")
    return {
        "weights": WEIGHTS.name,
        "sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "protocol": STATED.describe(),
        "calibration_photos": CALIBRATION_PHOTOS,
        "tuning": settings | {"group": batch["group"], "crop": batch["crop"]},
    }


def read_results() -> dict[str, Any]:
    """Return the runs of these weights and settings that are there already."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    settings = stated()
    same = all(results.get(key) == value for key, value in settings.items())
    return results if same else settings | {"runs": {}}


def calibration_photos(photos: Path) -> list[Path]:
    """Return some of the photos of the split "val", spread over all of them."""
    files = sorted(photo.file for photo in read_captions(photos, "val"))
    return [photos / file for file in files[:: max(1, len(files) // CALIBRATION_PHOTOS)]][
        :CALIBRATION_PHOTOS
    ]


def measure(
    network: SeparationNetwork, shown: Sequence[Path], sets: dict[str, list[Pair]]
) -> dict[str, Any]:
    """Export a network in full precision and in 8 bits, and compare them on every set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ship(dict(network.state_dict()), network.config, folder, "taught")
        original = folder / "taught.onnx"
        feeds = calibration_feeds(original, shown)
        int8 = {kind: folder / f"{number}.onnx" for number, kind in enumerate(KINDS)}
        for kind, path in int8.items():
            quantise(original, path, feeds, KINDS[kind])
        return {
            set_name: {
                str(mode): {
                    kind: one.document()
                    for kind, one in compare(original, int8, pairs, mode, STATED).items()
                }
                for mode in applicable_modes(pairs)
                if mode in (Mode.NONE, Mode.RIGHT)
            }
            for set_name, pairs in sets.items()
        }


def run(
    attention: str,
    seed: int,
    looked: Sequence[Looked],
    shown: Sequence[Path],
    sets: dict[str, list[Pair]],
) -> dict[str, Any]:
    network = with_attention(WEIGHTS, NetworkConfig.lite(), attention, seed)
    teach_words(network, looked, TUNING, seed)
    return measure(network, shown, sets)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    parser.add_argument("--attention", nargs="+", default=["softmax", "vga-key"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    told = parser.parse_args()
    logging.disable(logging.WARNING)  # the quantiser recommends steps that were taken here
    results = read_results()
    asked = [(seed, name) for seed in told.seeds for name in told.attention]
    missing = [
        (seed, name) for seed, name in asked if str(seed) not in results["runs"].get(name, {})
    ]
    if not missing:
        return
    sets = {folder.name: read_pairs(folder) for folder in told.sets}
    shown = calibration_photos(told.photos)
    batches = Batches(PhotoStore(told.photos, "train", told.cache), TUNING.batch, 0)
    first = with_attention(WEIGHTS, NetworkConfig.lite(), told.attention[0], 0).eval()
    looked = look(first, batches, TUNING.groups)
    for seed, name in missing:
        figures = run(name, seed, looked, shown, sets)
        results["runs"].setdefault(name, {})[str(seed)] = figures
        print(name, seed, json.dumps(figures, ensure_ascii=False), flush=True)
        with appearing_whole(RESULTS) as partial:
            partial.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        write_document()


if __name__ == "__main__":
    main()
