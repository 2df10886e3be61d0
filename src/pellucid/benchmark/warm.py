"""Separate one photo again and again with one loaded model: the child process of the benchmark."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pellucid.model import Device
from pellucid.photo import read_photo, write_photo
from pellucid.separator import Separator

WORDS = {"transmission": "a room with a lamp", "reflection": "houses and a tree in the street"}


@dataclass(frozen=True)
class WarmJob:
    """What the child process does."""

    photo: str
    folder: str
    repetitions: int
    weights: str | None
    threads: int | None
    device: Device


def separate_again_and_again(job: WarmJob) -> list[tuple[float, float]]:
    """Return seconds and processor seconds of every repetition, after one that does not count."""
    weights = None if job.weights is None else Path(job.weights)
    separator = Separator.load(weights, job.threads, job.device)
    times = []
    for _ in range(1 + job.repetitions):
        begin, busy = time.perf_counter(), time.process_time()
        separation = separator.separate(read_photo(job.photo), **WORDS)
        for layer in ("transmission", "reflection"):
            write_photo(separation.photo(layer), Path(job.folder) / f"{layer}.jpg")
        times.append((time.perf_counter() - begin, time.process_time() - busy))
    return times[1:]


def command(job: WarmJob) -> list[str]:
    """Return the command line of the child process."""
    return [sys.executable, "-m", "pellucid.benchmark.warm", json.dumps(asdict(job))]


if __name__ == "__main__":
    print(json.dumps(separate_again_and_again(WarmJob(**json.loads(sys.argv[1])))))
