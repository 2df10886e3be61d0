"""Separate many photos in one process and watch its memory: does it stay flat?

    python scripts/long_run.py [--photos 2000] [--result results/robustness/long-run.json]

Draws small photos of different sizes and kinds, runs a batch over them with the shipped model and
one worker in this process, and notes the resident memory every 50 photos. Ends with code 1 if the
memory at the end is more than 5 % over that after the first 100 photos. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from pellucid.batch import Batch, Record
from pellucid.batch.manifest import NAME, Manifest
from pellucid.batch.stores import FolderStore
from pellucid.batch.words import WordBook, Words

FIRST = 100
"""Photos after which caches are warm: their memory is what later memory is held against."""
EVERY = 50
ALLOWED_GROWTH = 1.05
SIZES = ((640, 480), (480, 640), (400, 400), (720, 300), (512, 384))
KINDS = ("jpg", "png", "webp", "tif")


def draw(folder: Path, number: int) -> None:
    """Write a photo of coarse noise; sizes and kinds take turns."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
    photo = coarse.resize(SIZES[number % len(SIZES)], Image.Resampling.BICUBIC)
    photo.save(folder / f"{number:06}.{KINDS[number % len(KINDS)]}")


def resident() -> float:
    """Return this process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(photos: int) -> list[tuple[int, float]]:
    """Return (photos done, resident MiB) along a batch."""
    memory: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as work:
        source, output = Path(work, "photos"), Path(work, "layers")
        source.mkdir()
        output.mkdir()
        for number in range(photos):
            draw(source, number)
        words = WordBook(Words("a room", "houses and the sky"))
        batch = Batch(FolderStore(source), FolderStore(output), words=words, threads=1)
        done = 0

        def on_record(record: Record) -> None:
            nonlocal done
            assert record.ok, record.error
            done += 1
            if done % EVERY == 0:
                memory.append((done, round(resident(), 1)))
                print(f"{done} photos: {memory[-1][1]} MiB", flush=True)

        batch.run(Manifest(output / NAME), batch.photos(), on_record)
    return memory


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--result", type=Path, default=Path("results/robustness/long-run.json"))
    asked = parser.parse_args()
    memory = run(asked.photos)
    first, last = dict(memory)[FIRST], memory[-1][1]
    result = {
        "photos": asked.photos,
        "after_first_100_mib": first,
        "at_the_end_mib": last,
        "growth": round(last / first, 4),
        "allowed_growth": ALLOWED_GROWTH,
        "memory_mib": memory,
    }
    asked.result.parent.mkdir(parents=True, exist_ok=True)
    asked.result.write_text(json.dumps(result) + "\n")
    return int(last > ALLOWED_GROWTH * first)


if __name__ == "__main__":
    sys.exit(main())
