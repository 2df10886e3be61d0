"""Measure separations of photos of several sizes, cold and warm."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pellucid.benchmark.picture import picture_size, write_picture
from pellucid.benchmark.process import Finished, run
from pellucid.benchmark.warm import WORDS, WarmJob, command
from pellucid.model import Device

SIZES = (0.05, 0.1, 0.25, 1, 4, 12, 24, 48)
"""Millions of pixels."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        sizes: of the photos, in millions of pixels.
        devices: where the network runs.
        repetitions: how often a process is started, and how often a warm one separates.
        weights: an ONNX file; None is the shipped one, which alone is measured cold.
        threads: of the separation; None is all.
    """

    sizes: tuple[float, ...] = SIZES
    devices: tuple[Device, ...] = ("cpu",)
    repetitions: int = 3
    weights: Path | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Cost:
    """What one separation took: medians of times, the largest peak."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Row:
    """One size on one device.

    Attributes:
        width, height: of the photo, in pixels.
        cold: a new process from its start to its end: `pellucid separate` with words for both
            layers; None for other weights than the shipped ones.
        warm: a separation in a process that has done one before, reading and writing files; its
            peak is that of the process.
    """

    device: Device
    width: int
    height: int
    cold: Cost | None
    warm: Cost

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.width * self.height / 1e6

    @property
    def seconds_per_megapixel(self) -> float:
        """Of a warm separation."""
        return self.warm.seconds / self.megapixels


def measure(plan: Plan, on_row: Callable[[], None] = lambda: None) -> list[Row]:
    """Measure every size on every device; the photos are drawn in a temporary folder.

    Raises:
        BenchmarkError: a process failed.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for megapixels in plan.sizes:
            photo = Path(folder) / "photo.jpg"
            write_picture(photo, megapixels)
            for device in plan.devices:
                cold = _cold(plan, photo, device) if plan.weights is None else None
                warm = _warm(plan, photo, device)
                rows.append(Row(device, *picture_size(megapixels), cold, warm))
                on_row()
    return rows


def _cold(plan: Plan, photo: Path, device: Device) -> Cost:
    line = [sys.executable, "-m", "pellucid", "separate", str(photo), "--overwrite", "--quiet"]
    line += [f"--{layer}={words}" for layer, words in WORDS.items()]
    line += [f"--device={device}"]
    line += [] if plan.threads is None else [f"--threads={plan.threads}"]
    return _median([run(line) for _ in range(plan.repetitions)])


def _median(runs: list[Finished]) -> Cost:
    return Cost(
        statistics.median(one.seconds for one in runs),
        statistics.median(one.cpu_seconds for one in runs),
        max(one.peak_mb for one in runs),
    )


def _warm(plan: Plan, photo: Path, device: Device) -> Cost:
    weights = None if plan.weights is None else str(plan.weights)
    job = WarmJob(str(photo), str(photo.parent), plan.repetitions, weights, plan.threads, device)
    finished = run(command(job))
    seconds, cpu_seconds = zip(*json.loads(finished.output), strict=True)
    return Cost(statistics.median(seconds), statistics.median(cpu_seconds), finished.peak_mb)
