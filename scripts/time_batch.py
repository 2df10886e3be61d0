"""Time `pellucid batch` on this machine and work out what 100 million photos would take.

    python scripts/time_batch.py [PHOTOS_A_SIZE]     measure, then write
    python scripts/time_batch.py --write             write the page's table from the stored figures

Photos are the project's own example, enlarged. Figures: results/batch/timing.json; the table
between the markers of docs/cluster.md.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from marked import fill
from PIL import Image

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "batch" / "timing.json"
PAGE = ROOT / "docs" / "cluster.md"
MEGAPIXELS = (2, 12)
MANY = 100_000_000
MACHINE = 64
"""Cores of the machine that the arithmetic is done for."""


def make_photos(folder: Path, megapixels: int, count: int) -> None:
    with Image.open(ROOT / "examples" / "window.jpg") as example:
        scale = math.sqrt(megapixels * 1e6 / (example.width * example.height))
        size = (round(example.width * scale), round(example.height * scale))
        photo = example.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    photo.save(folder / "0.jpg", quality=92)
    for number in range(1, count):
        (folder / f"{number}.jpg").write_bytes((folder / "0.jpg").read_bytes())


def measure(megapixels: int, count: int) -> dict:
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        photos.mkdir()
        make_photos(photos, megapixels, count)
        command = [sys.executable, "-m", "pellucid", "batch", str(photos), f"{place}/layers", "-q"]
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True)
        wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "megapixels": megapixels,
        "photos": count,
        "seconds": round(wall, 2),
        "processor_seconds_a_photo": round(processor / count, 3),
        "largest_process_mb": round(after.ru_maxrss / 1024),
    }


def table(results: dict) -> str:
    lines = [
        f"Measured on {results['cores']} cores ({results['machine']}), start of the workers and "
        "loading of their models included:",
        "",
        "| photo | photos | wall | processor time a photo | largest process "
        f"| {MANY / 1e6:.0f} million photos: core-hours | days on ten {MACHINE}-core machines |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in results["runs"]:
        hours = run["processor_seconds_a_photo"] * MANY / 3600
        lines.append(
            f"| {run['megapixels']} Mpx JPEG | {run['photos']} | {run['seconds']:.1f} s "
            f"| {run['processor_seconds_a_photo']:.2f} s | {run['largest_process_mb']} MB "
            f"| {hours:,.0f} | {hours / (10 * MACHINE * 24):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    if "--write" not in sys.argv:
        count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
        results = {
            "machine": platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "runs": [measure(megapixels, count) for megapixels in MEGAPIXELS],
        }
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    stored = json.loads(RESULTS.read_text())
    fill(PAGE, {"arithmetic: scripts/time_batch.py": f"{table(stored)}\n"})


if __name__ == "__main__":
    main()
