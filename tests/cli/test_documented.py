"""The documents' commands run as they are printed, in a folder with what they speak of."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ..test_docs import ROOT, commands
from .conftest import SOURCE_FIRST, write_png

NOT_RUN = {
    "a page or folder is served until one stops it (tests/service, tests/batch)": (
        r"web|batch .*--watch"
    ),
    "hours, minutes or a cluster (tests/attention/experiments, tests/benchmark, tests/training)": (
        r"attention (experiment|benchmark)|benchmark|batch s3:|train "
    ),
    "a photo that only a camera makes, weights of a training": r".*\.nef|export",
    "models that this repository does not hold": r"attention .*(PACKAGE|decoder)",
    "measured data that it does not hold": r"evaluate PAIRS|synthesise",
    "it names a command and its options, not a use of it": r"\S+( \S+)?( -+\S+)*$",
}


def printed() -> list[str]:
    """Every documented use that can be run here, once."""
    skipped = re.compile("|".join(NOT_RUN.values()))
    lines = {re.sub(r"\s+", " ", line) for _, line in commands()}
    return sorted(line for line in lines if line == "info" or not skipped.match(line))


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with the photos, words and results that the documents name."""
    here = tmp_path / "here"
    (here / "holiday").mkdir(parents=True)
    monkeypatch.chdir(here)
    for name in ("shop.jpg", "holiday/a.jpg", "holiday/b.jpg"):
        write_png(here / name)
    Image.new("L", (60, 40), 255).save("mask.png")
    Path("words.csv").write_text("photo,transmission,reflection\na.jpg,,the sky\n", "utf-8")
    Path("lines.txt").write_text(f"{'w1 w2 w3 w4 w5 w6 w7 w8 ' * 8}\n" * 420, "utf-8")
    return here


def heic() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.open("shop.jpg").save("shop.heic")


def pairs_of_one_photo(folder: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy("shop.jpg", folder)
    line = {"id": "1", "mixture": "shop.jpg", "transmission": "shop.jpg"}
    (folder / "pairs.jsonl").write_text(json.dumps(line) + "\n", "utf-8")


def run_in_a_shell(line: str) -> None:
    shell = 'pellucid() { "$PYTHON" -m pellucid "$@"; }; set -e; pellucid ' + line
    environment = {**os.environ, **SOURCE_FIRST, "PYTHON": sys.executable}
    subprocess.run(["bash", "-c", shell], check=True, env=environment)


@pytest.mark.parametrize("line", [line for line in printed() if "attention" not in line])
def test_a_command_for_photos_runs_as_printed(line, cli, workplace):
    if "<" in line:
        run_in_a_shell(line)
        return
    if ".heic" in line:
        heic()
    if "pairs.jsonl" in line:
        pairs_of_one_photo(workplace / "../shared/data/real/real20-dev")
    if "--report" in line:
        shutil.copytree(ROOT / "results" / "checks", "results/checks")
    words = [w for word in shlex.split(line) for w in _expanded(word)]
    result = cli(*words)
    assert result.code == 0, result.err


def _expanded(word: str) -> list[str]:
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def for_models() -> list[object]:
    lines = [line for line in printed() if "attention" in line]
    return [pytest.param(line, marks=[pytest.mark.slow] * ("quantise" in line)) for line in lines]


@pytest.mark.parametrize("line", for_models())
def test_a_command_for_models_runs_as_printed(line, cli, workplace):
    transformers = pytest.importorskip("transformers")
    from ..attention.retrofit.models import build, llama, vit
    from ..attention.retrofit.saved import save_model

    if "VISION_MODEL" in line:
        build(vit).save_pretrained("VISION_MODEL")
        size = {"height": 16, "width": 16}
        transformers.ViTImageProcessorPil(size=size).save_pretrained("VISION_MODEL")
    else:
        save_model(build(llama), workplace / "MODEL")
    result = cli(*shlex.split(line))
    assert result.code in ((0, 3) if "--alarm" in line else (0,)), result.err


def test_most_uses_are_run():
    assert len(printed()) > 20
