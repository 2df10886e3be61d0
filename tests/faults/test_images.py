"""Hostile and odd photos through the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from pellucid.photo import linear_to_srgb, read_photo
from pellucid.separator import Separator

from ..cli.conftest import SOURCE_FIRST, files
from ..photo import samples
from . import fault
from .attacks import images

resource = pytest.importorskip("resource", reason="needs Unix")


def rows(attacks, verdict):
    return [
        pytest.param(attack, id=attack.tried, marks=fault("images", attack.tried, verdict))
        for attack in attacks
    ]


def named(pictures, verdict):
    return [
        pytest.param(data, id=name, marks=fault("images", name, verdict))
        for name, data in pictures.items()
    ]


@pytest.mark.parametrize(
    "attack",
    rows(
        [bomb for bomb in images.BOMBS if bomb.says] + images.NOT_PHOTOS,
        "refused in one line, nothing written",
    ),
)
def test_a_hostile_file_is_one_line_and_leaves_nothing(cli, tmp_path, attack):
    (tmp_path / "photo.png").write_bytes(attack.make())
    begin = time.monotonic()
    result = cli("separate", tmp_path / "photo.png")
    assert time.monotonic() - begin < 5
    assert result.code == 1
    told = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1
    assert "photo.png" in told[0]
    assert re.search(attack.says, told[0]), told[0]
    assert files(tmp_path) == {"photo.png"}


PEAK = """
import resource, sys
from pathlib import Path
from pellucid.errors import PhotoError
from pellucid.photo import linear_to_srgb, read_photo
from pellucid.separator import Separator
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
read_photo(Path(sys.argv[1]))
for path in sys.argv[2:]:
    begin = peak()
    try:
        read_photo(Path(path))
    except PhotoError:
        pass
    print(path, peak() - begin)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@fault("images", "all bombs, one after the other", "refused before memory is taken: < 100 MB more")
def test_bombs_take_no_memory(tmp_path):
    harmless = tmp_path / "harmless.tif"
    harmless.write_bytes(images.rgb_tiff(bits=(16,) * 3, data=bytes(96)))
    paths = []
    for number, attack in enumerate(images.BOMBS):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(attack.make())
    command = [sys.executable, "-c", PEAK, str(harmless), *map(str, paths)]
    run = subprocess.run(command, env=SOURCE_FIRST, capture_output=True, text=True, check=True)
    grown = {line.split()[0]: int(line.split()[1]) for line in run.stdout.splitlines()}
    assert len(grown) == len(paths)
    assert sum(grown.values()) < 100, grown


def separated(cli, path):
    """Separate a photo into both layers; return photo and layers, read again."""
    result = cli("separate", path, "--format", "tiff")
    assert result.code == 0, result.err
    assert "Traceback" not in result.err
    layers = [path.with_name(f"{path.stem}.{layer}.tif") for layer in LAYERS]
    return [read_photo(file) for file in (path, *layers)]


LAYERS = ("transmission", "reflection")


@pytest.mark.parametrize(
    "data",
    named(images.modes(), "separated; layers of the photo's size and depth")
    + named(images.odd_metadata(), "separated; what is broken is left out with a note"),
)
def test_an_odd_photo_is_separated(cli, tmp_path, data):
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    photo, *layers = separated(cli, path)
    for layer in layers:
        assert (layer.size, layer.depth) == (photo.size, photo.depth)


@fault("images", "orientation 0 to 9, in EXIF", "turned once if 1 to 8, else upright")
@pytest.mark.parametrize("orientation", range(10))
def test_orientation_is_applied_once(cli, tmp_path, orientation):
    path = tmp_path / "photo.png"
    block = Image.Exif()
    block[0x0112] = orientation
    Image.fromarray(samples.smooth(24, 32)).save(path, exif=block)
    upright = {1: None} | {value: value for value in range(2, 9)}
    turns = upright.get(orientation)
    size = (24, 32) if turns and turns >= 5 else (32, 24)
    photo, *layers = separated(cli, path)
    assert photo.size == size
    for name, layer in zip(LAYERS, layers, strict=True):
        assert layer.size == size
        with Image.open(tmp_path / f"photo.{name}.tif") as written:
            assert written.size == size
            assert written.getexif().get(0x0112, 1) == 1


@fault("images", "1 × 1, 1 × N, N × 1, prime sides", "separated; layers add up to the photo")
@pytest.mark.parametrize("size", [(1, 1), (1, 701), (701, 1), (2, 2), (31, 37), (331, 337)])
def test_sizes(cli, tmp_path, size):
    path = tmp_path / "photo.png"
    Image.fromarray(samples.codes(*size)).save(path)
    adds_up(*separated(cli, path))


def adds_up(photo, transmission, reflection):
    error = transmission.light() + reflection.light() - photo.light()
    assert np.abs(error).max() < 0.02  # layers are rounded to 8 bits


@fault("images", "all black, all white", "separated; layers add up to the photo")
@pytest.mark.parametrize("grey", [0, 255])
def test_a_picture_of_one_value(cli, tmp_path, grey):
    path = tmp_path / "photo.png"
    Image.new("RGB", (64, 48), (grey,) * 3).save(path)
    adds_up(*separated(cli, path))


@pytest.fixture(scope="module")
def shipped() -> Separator:
    return Separator.load(threads=1)


def scene() -> np.ndarray:
    """Soft shapes with sharp edges, (240, 320, 3): nothing is mirrored in it."""
    y, x = np.mgrid[:240, :320]
    colours = np.stack([x / 320, y / 240, 1 - (x + y) / 560], axis=-1) * 0.6 + 0.1
    colours[60:180, 40:120] = (0.7, 0.2, 0.15)
    colours[(y - 120) ** 2 + (x - 230) ** 2 < 60**2] = (0.15, 0.4, 0.7)
    return np.rint(colours * 255).astype(np.uint8)


WORDS = {
    "none": {},
    "right": {"transmission": "a red square and a blue disc"},
    "wrong": {"transmission": "a crowd", "reflection": "a red square"},
}


@fault("images", "no reflection at all, with the shipped model", "T is near the photo: ≥ 17 dB")
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_nothing_is_mirrored(shipped, words):
    separation = shipped.separate(scene(), **words)
    error = linear_to_srgb(separation.transmission) - scene() / 255
    assert -10 * np.log10(np.mean(error**2)) >= 17  # a drawing; photos: results/checks


@fault("images", "black, white, a pure mirror, with the shipped model", "finite; layers add up")
@pytest.mark.parametrize("picture", [np.zeros, np.ones, lambda shape: scene() / 255])
def test_pictures_that_say_nothing(shipped, picture):
    words = {"transmission": "nothing", "reflection": "a red square and a blue disc"}
    separation = shipped.separate(picture((240, 320, 3)), **words)
    whole = separation.transmission + separation.reflection + separation.residual
    np.testing.assert_allclose(whole, separation.source.light(), atol=1e-6)
    assert np.isfinite(separation.reflection).all()


@fault("images", "FIFO, folder, loop of links, link to nowhere", "refused in one line, at once")
@pytest.mark.parametrize("kind", ["fifo", "folder", "loop", "nowhere"])
def test_what_is_no_file(cli, tmp_path, kind):
    path = tmp_path / "photo.png"
    make = {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "loop": lambda: path.symlink_to(path),
        "nowhere": lambda: path.symlink_to(tmp_path / "gone.png"),
    }
    make[kind]()
    result = cli("separate", path)
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert files(tmp_path) == {"photo.png"}


@fault("images", "a file that vanishes, or is replaced, between listing and reading", "one failure")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_vanishes_in_a_batch(cli, tmp_path, monkeypatch, replaced):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(images.encoded("PNG"))
    from pellucid.batch.run import Batch

    def list_then_lose(batch, found=Batch.photos):
        names = found(batch)
        (folder / "a.png").unlink()
        if replaced:
            (folder / "a.png").mkdir()
        return names

    monkeypatch.setattr(Batch, "photos", list_then_lose)
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 1
    assert "1 done, 0 already done, 1 failed" in result.err
    assert "a.png: cannot be read" in result.err


@fault("images", "200 Mpx", "separated; below 8 GB of memory")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_two_hundred_megapixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # Pillow's own, for this test's look
    path = tmp_path / "photo.jpg"
    Image.effect_noise((1_000, 500), 60).resize((20_000, 10_000)).save(path)
    command = [sys.executable, "-m", "pellucid", "separate", str(path), "--layers", "transmission"]
    subprocess.run(command, env=SOURCE_FIRST, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert peak < 8_000_000  # kB, of the largest of all children so far
    with Image.open(tmp_path / "photo.transmission.jpg") as layer:
        assert layer.size == (20_000, 10_000)
