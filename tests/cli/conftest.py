from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import model
from pellucid.cli import main

SOURCE_FIRST = {**os.environ, "PYTHONPATH": str(Path(model.__file__).parents[1])}
"""Environment in which a new process imports the package under test."""


@dataclass
class Result:
    code: int
    out: bytes
    err: str


@pytest.fixture
def cli(monkeypatch, tiny_weights, capfdbinary):
    """Run a command line in this process with the tiny model as the shipped one."""
    monkeypatch.setattr(model, "SHIPPED_WEIGHTS", tiny_weights)
    # Wide, and without colours or borders that would break lines apart.
    monkeypatch.setenv("COLUMNS", "300")

    def run(*args: object) -> Result:
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        return Result(int(stop.value.code or 0), out, err.decode())

    return run


@pytest.fixture
def photo(tmp_path) -> Path:
    """A small PNG in a folder of its own."""
    return write_png(tmp_path / "photo.png")


def write_png(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="PNG" if path.suffix == ".png" else "JPEG")
    return path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
