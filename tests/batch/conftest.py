from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.batch import Batch
from pellucid.batch.manifest import NAME, Manifest
from pellucid.batch.stores import FolderStore


def write_photo(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    """A small tree: two photos of one stem, one in a folder, and what is no photo."""
    folder = tmp_path / "photos"
    for seed, name in enumerate(("a.jpg", "a.png", "trip/b.jpg")):
        write_photo(folder / name, seed)
    (folder / "notes.md").write_text("not a photo")
    write_photo(folder / ".hidden" / "c.jpg")
    return folder


@pytest.fixture
def batch(photos, tmp_path, tiny_weights) -> Batch:
    output = tmp_path / "layers"
    output.mkdir()
    return Batch(FolderStore(photos), FolderStore(output), weights=tiny_weights, threads=1)


@pytest.fixture
def manifest(batch) -> Manifest:
    return Manifest(batch.output.folder / NAME)
