"""Synthesised mixtures as files, so that others can reproduce the data and measure on it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from pellucid.files import appearing_whole
from pellucid.network.light import to_encoded
from pellucid.synthesis.recipes import SynthesisConfig
from pellucid.training.batches import BatchConfig, Batches
from pellucid.training.photos import PhotoStore
from pellucid.training.validation import to_image


@dataclass(frozen=True)
class TripletConfig:
    """What is written."""

    count: int = 100
    size: int = 224
    split: str = "val"
    seed: int = 0
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)


def write_triplets(photos: Path, output: Path, config: TripletConfig) -> Path:
    """Write `count` mixtures with both layers and return the path of their pairs.jsonl.

    Raises:
        DataError: `photos` has no captions.jsonl or no photo of the split.
        ConfigError: the size is not a multiple of 32.
    """
    output.mkdir(parents=True, exist_ok=True)
    batch = BatchConfig(group=1, crop=config.size, synthesis=config.synthesis)
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        batches = Batches(PhotoStore(photos, config.split, Path(cache)), batch, config.seed)
        for number in range(config.count):
            rows.append(_write_one(batches, number, output))
    listing = output / "pairs.jsonl"
    with appearing_whole(listing) as partial:
        partial.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return listing


def _write_one(batches: Batches, number: int, output: Path) -> dict[str, Any]:
    triplet = batches.triplet(number)
    row: dict[str, Any] = {"id": f"{number:06d}", "recipe": triplet.recipe}
    encoded = {
        "mixture": triplet.mixtures.mixture,
        "transmission": to_encoded(triplet.mixtures.transmission),
        "reflection": to_encoded(triplet.mixtures.reflection),
    }
    for name, layer in encoded.items():
        row[name] = f"{row['id']}_{name}.png"
        Image.fromarray(to_image(layer[0])).save(output / row[name])
    row["transmission_text"], row["reflection_text"] = triplet.captions
    return row
