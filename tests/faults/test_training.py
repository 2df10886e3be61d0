"""What a training run is told and given; kills are in `test_killed.py`, checkpoints in weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from . import fault
from .attacks import images

pytest.importorskip("torch")
from pellucid.errors import DataError
from pellucid.files import locked
from pellucid.training.batches import BatchConfig, Batches
from pellucid.training.photos import PhotoStore, read_captions
from pellucid.training.trainer import Trainer, TrainingError


def listed(folder, *captions, source="one") -> None:
    """Write a photo for each caption, and the list of them."""
    rows = []
    for number, caption in enumerate(captions):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append(
            {"file": f"{number}.png", "split": "train", "src": source, "captions": [caption]}
        )
    lines = [json.dumps(row) for row in rows]
    (folder / "captions.jsonl").write_text("\n".join(lines))


@fault("training", "a corrupt image in the middle of the list", "refused in one line that names it")
@pytest.mark.parametrize("attack", [images.BOMBS[0], *images.NOT_PHOTOS[:4]], ids=lambda a: a.tried)
def test_a_corrupt_image(tmp_path, attack):
    listed(tmp_path, "a cat", "a dog", "a house")
    (tmp_path / "1.png").write_bytes(attack.make())
    with pytest.raises(DataError, match=r"1\.png.*remove it from the list") as refusal:
        PhotoStore(tmp_path, "train", tmp_path / "cache")
    assert "\n" not in str(refusal.value)
    assert not list((tmp_path / "cache").iterdir())


@fault("training", "a list of photos that is damaged", "refused in one line that names it")
@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "7", '{"file": "0.png"}', '{"split": "train", "src": 1}']
)
def test_a_damaged_list(tmp_path, text):
    (tmp_path / "captions.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"captions\.jsonl: not a list of photos"):
        read_captions(tmp_path, "train")


@fault("training", "photos that are all of one source", "mixed among themselves; it does not hang")
def test_one_source(tmp_path):
    listed(tmp_path, "a cat", "a dog")
    store = PhotoStore(tmp_path, "train", tmp_path / "cache")
    group = Batches(store, BatchConfig(group=4, crop=32), seed=0).group(0, 0)
    assert group.mixtures.mixture.shape == (4, 3, 32, 32)


@fault("training", "photos that all have one caption", "refused in one line; it does not hang")
def test_one_caption(tmp_path):
    listed(tmp_path, "a cat", "a cat")
    store = PhotoStore(tmp_path, "train", tmp_path / "cache")
    with pytest.raises(DataError, match="two different captions"):
        Batches(store, BatchConfig(), seed=0)


@fault("training", "two runs in one folder at once", "the second is refused in one line")
@pytest.mark.slow
def test_two_runs_at_once(tiny_run, tmp_path):
    trainer = Trainer(tiny_run)
    trainer.folder.mkdir(parents=True, exist_ok=True)
    with (
        locked(trainer.folder / ".lock", TrainingError("the first")),
        pytest.raises(TrainingError, match="another run trains here"),
    ):
        trainer.run()
