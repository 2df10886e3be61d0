"""SIGKILL at random moments: nothing torn is seen, and going on gives what not stopping gives.

Together, the slow tests kill fifty times; the quick ones a few.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ..cli.conftest import SOURCE_FIRST
from . import fault

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

ROOT = Path(__file__).parents[2]
PHOTOS = 12
MAIN = (
    "import sys, pathlib, pellucid.model as model\n"
    "model.SHIPPED_WEIGHTS = pathlib.Path(sys.argv.pop(1))\n"
    "from pellucid.cli import main\nmain()"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Photos that take some time to write."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(PHOTOS):
        pixels = np.random.default_rng(seed).integers(0, 256, (300, 400, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:02}.png", compress_level=0)
    return folder


def command(weights: Path, name: str, photos: Path, output: Path) -> list[str]:
    begin = [sys.executable, "-c", MAIN, str(weights), name]
    if name == "batch":
        return [*begin, str(photos), str(output), "--workers", "1"]
    return [*begin, *map(str, sorted(photos.iterdir())), "-o", str(output), "--overwrite"]


def visible(output: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in output.iterdir()
        if not path.name.startswith(".") and path.suffix == ".png"
    }


def kill_at(moment: float, arguments: list[str], output: Path) -> bool:
    """Start, wait for a first file and then for `moment` seconds, kill; False if it was done."""
    before = len(visible(output))
    run = subprocess.Popen(arguments, env=SOURCE_FIRST, stderr=subprocess.DEVNULL)
    while len(visible(output)) == before and run.poll() is None and before < 2 * PHOTOS:
        time.sleep(0.005)
    time.sleep(moment)
    run.send_signal(signal.SIGKILL)
    return run.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(photos, tiny_weights, tmp_path_factory):
    """What a run that is not killed writes, by command."""
    outputs = {}
    for name in ("separate", "batch"):
        output = tmp_path_factory.mktemp(name)
        subprocess.run(command(tiny_weights, name, photos, output), env=SOURCE_FIRST, check=True)
        outputs[name] = output
    return outputs


def kill_and_go_on(photos, weights, whole, output, name: str, seed: int, kills: int) -> None:
    moments = random.Random(seed)
    expected = visible(whole[name])
    arguments = command(weights, name, photos, output)
    for _ in range(kills):
        kill_at(moments.uniform(0.0, 0.4), arguments, output)
        for file, content in visible(output).items():
            assert content == expected[file], f"{file} is torn"
        if (output / "manifest.jsonl").exists():
            check_manifest(output)
    assert subprocess.run(arguments, env=SOURCE_FIRST).returncode == 0
    assert visible(output) == expected
    if name == "batch":
        assert (output / "manifest.jsonl").read_bytes() == (
            whole[name] / "manifest.jsonl"
        ).read_bytes()


def check_manifest(output: Path) -> None:
    """Every whole line tells of a photo whose layers are there."""
    for line in (output / "manifest.jsonl").read_text("utf-8", "replace").split("\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the torn last line, or an empty one
        assert record["ok"]
        for layer in record["outputs"].values():
            assert (output / layer).exists()


@fault(
    "command line and batch",
    "SIGKILL at random moments of separate and of batch",
    "no torn file is seen; going on gives the files and the manifest of a run that was not killed",
)
@pytest.mark.parametrize("name", ["separate", "batch"])
def test_killed_a_few_times(photos, tiny_weights, whole, tmp_path, name):
    kill_and_go_on(photos, tiny_weights, whole, tmp_path, name, seed=os.getpid(), kills=1)


@fault(
    "command line and batch",
    "SIGKILL 30 times, at random moments of separate and of batch",
    "no torn file is seen; going on gives the files and the manifest of a run that was not killed",
)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["separate", "batch"])
@pytest.mark.parametrize("seed", range(3))
def test_killed_many_times(photos, tiny_weights, whole, tmp_path, name, seed):
    kill_and_go_on(photos, tiny_weights, whole, tmp_path, name, seed, kills=5)


@fault(
    "training",
    "kill −9 twenty times, at random moments",
    "weights, moments and so the loss are to the bit those of a run that was not killed",
)
@pytest.mark.slow
def test_training_killed_twenty_times(photo_folder, tmp_path):
    pytest.importorskip("torch")
    module = "tests.faults.attacks.killed_training"
    command = [sys.executable, "-m", module, str(photo_folder), str(tmp_path), "0", "20"]
    paths = os.pathsep.join([SOURCE_FIRST["PYTHONPATH"], str(ROOT)])
    env = SOURCE_FIRST | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=env, check=True)
