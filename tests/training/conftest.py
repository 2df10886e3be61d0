"""A folder of small captioned photos, and a training run small enough for a test."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from pellucid.network.separation import NetworkConfig
from pellucid.training.batches import BatchConfig
from pellucid.training.config import TrainingConfig, ValidationConfig
from pellucid.training.optimiser import OptimiserConfig

COLOURS = ("red", "green", "blue", "yellow", "purple", "grey")


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    rows = []
    for number in range(18):
        split = "train" if number < 12 else "val"
        colour = COLOURS[number % 6]
        pixels = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        name = f"{split}_{number}.png"
        Image.fromarray(pixels).resize((96, 80), Image.Resampling.BICUBIC).save(folder / name)
        rows.append(
            {
                "file": name,
                "split": split,
                "src": f"source{number % 2}",
                "captions": [f"A {colour} thing number {number}.", f"the {colour} one"],
                "phrase": colour if number % 3 == 0 else None,
            }
        )
    listing = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "captions.jsonl").write_text(listing)
    return folder


@pytest.fixture
def tiny_run(photo_folder, tmp_path):
    return TrainingConfig(
        photos=str(photo_folder),
        folder=str(tmp_path / "run"),
        steps=4,
        checkpoint_every=2,
        threads=1,
        network=NetworkConfig(
            channels=16,
            heads=2,
            global_tokens=3,
            decoder_widths=(16, 8, 8),
            decoder_blocks=(1, 1, 1),
        ),
        batch=BatchConfig(group=2, groups=2, crop=64),
        optimiser=OptimiserConfig(warmup=1),
        validation=ValidationConfig(every=1000, mixtures=2),
    )


@pytest.fixture
def change():
    return dataclasses.replace
