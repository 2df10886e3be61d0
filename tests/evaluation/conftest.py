"""Small sets of random photos, written as the sets the readers read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.evaluation.images import Image8, from_light, to_8bit, to_light
from pellucid.evaluation.pairs import Descriptions
from pellucid.evaluation.protocol import Sample

TEXTS = [("a red car", "a tall tree"), ("a white dog", "a street lamp"), ("a wooden chair", None)]


def random_photo(seed: int, height: int = 24, width: int = 30) -> Image8:
    """A smooth photo-like image: coarse noise, enlarged."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.uint8)


def make_sample(seed: int = 0, height: int = 24, width: int = 30) -> Sample:
    """A sample whose layers add up in light, save for 8-bit rounding."""
    light_t, light_r = (to_light(random_photo(2 * seed + i, height, width)) for i in (0, 1))
    transmission, reflection = (to_8bit(from_light(0.5 * x)) for x in (light_t, light_r))
    mixture = to_8bit(from_light(to_light(transmission) + to_light(reflection)))
    words = Descriptions(f"scene {2 * seed}", f"scene {2 * seed + 1}")
    return Sample(f"photo-{seed}", mixture, transmission, reflection, words)


def save(path: Path, image: Image8) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path.name


@pytest.fixture
def sample() -> Sample:
    return make_sample()


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., Path]:
    """Write a random image at each relative path and return the folder."""

    def write(*names: str) -> Path:
        for seed, name in enumerate(names):
            save(tmp_path / name, random_photo(seed))
        return tmp_path

    return write


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Path:
    """Three described pairs with a peer's outputs, and their pairs.jsonl."""
    folder = tmp_path / "little-set"
    lines = []
    for seed, (behind, mirrored) in enumerate(TEXTS):
        made = make_sample(seed)
        assert made.reflection is not None
        entry = {
            "id": made.name,
            "mixture": save(folder / f"{seed}_m.png", made.mixture),
            "transmission": save(folder / f"{seed}_t.png", made.transmission),
            "reflection": save(folder / f"{seed}_r.png", made.reflection),
            "transmission_text": behind,
            "reflection_text": mirrored,
            "peer_transmission": save(folder / f"{seed}_pt.png", made.transmission),
            "peer_reflection": save(folder / f"{seed}_pr.png", made.reflection),
        }
        lines.append(json.dumps(entry))
    (folder / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def photos_folder(tmp_path: Path) -> Path:
    """Validation photos of two sources with captions, and some that must not be used."""
    folder = tmp_path / "photos"
    lines = []
    for number in range(8):
        source, split = ("streets", "gardens")[number % 2], "train" if number > 5 else "val"
        name = f"{split}/{number}.png"
        save(folder / name, random_photo(100 + number, 40, 60))
        captions = [f"caption {number}", "another"]
        lines.append({"file": name, "src": source, "split": split, "captions": captions})
    lines.append({"file": "none.jpg", "src": "flickr8k_224", "split": "val", "captions": ["x"]})
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "captions.jsonl").write_text(text, encoding="utf-8")
    return folder
