"""Faults around the command line and batches: names, folders, disks, streams."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.photo import read_photo
from pellucid.photo.write import replace_file

from ..cli.conftest import SOURCE_FIRST, files, write_png
from . import fault

resource = pytest.importorskip("resource", reason="needs Unix")

AREA = "command line and batch"

NAMES = (
    "two  words .png",
    "-o.png",
    "--json.png",
    "new\nline.png",
    "tab\tand\rreturn.png",
    "\x1b[31m\x1b]0;evil\x07.png",
    "[bold]rich[bold].png",
    "<img src=x onerror=alert(1)>.png",
    "ünïcödé 中 🚗.png",
    "\u202egnp.png",
    "e\u0301.png",
    os.fsdecode(b"not utf-8 \xff\xfe.png"),
    "%s{0}$HOME`id`;&|*?.png",
    "CON.png",
)


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    return made


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]


@fault(AREA, "names with blanks, dashes, line breaks, ANSI, HTML, no UTF-8", "all are separated")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of these names")
def test_a_batch_of_odd_names(cli, folder, tmp_path):
    for name in NAMES:
        write_png(folder / name)
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 0, result.err
    assert {record["photo"] for record in records(tmp_path / "out")} == set(NAMES)
    assert len(list((tmp_path / "out").glob("*.png"))) == 2 * len(NAMES)
    assert "\x1b" not in result.err
    assert result.err.count("\n") == len(NAMES) + 1
    again = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert f"0 done, {len(NAMES)} already done, 0 failed" in again.err


@fault(AREA, "a name of 255 bytes: its layers' would be longer", "one line; the rest is done")
def test_the_longest_name(cli, folder, tmp_path):
    long = write_png(folder / ("n" * 251 + ".png"))
    write_png(folder / "short.png")
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert (result.code, "1 done, 0 already done, 1 failed" in result.err) == (1, True)
    alone = cli("separate", long)
    assert alone.code == 1
    assert "File name too long" in alone.err
    assert alone.err.count("\n") == 1


@fault(AREA, "a.jpg beside a.png", "four files; refused where two would have one name")
def test_a_jpg_beside_a_png(cli, folder, tmp_path):
    names = [str(write_png(folder / name)) for name in ("a.jpg", "a.png")]
    assert cli("separate", *names, "-o", tmp_path).code == 0
    assert len(list(tmp_path.glob("a.*"))) == 4
    refused = cli("separate", *names, "--format", "png")
    assert (refused.code, files(folder)) == (2, {"a.jpg", "a.png"})
    assert cli("batch", folder, tmp_path / "out", "--format", "png", "--workers", 1).code == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


@fault(AREA, "output equal to input", "refused before any work; the photo is as it was")
def test_the_output_is_the_input(cli, folder):
    photo = write_png(folder / "a.png")
    before = photo.read_bytes()
    link = folder / "link.png"
    link.symlink_to(photo)
    for target in (photo, link, folder / ".." / "photos" / "a.png"):
        result = cli("separate", photo, "--layers", "transmission", "-o", target, "--overwrite")
        assert result.code == 2
        assert "both a photo to read and a file to write" in result.err
    assert cli("batch", folder, folder / "." / "").code == 2
    assert photo.read_bytes() == before


@fault(AREA, "links of folders in a loop, a link to itself, 1,200 folders deep", "each photo once")
def test_a_tree_without_end(cli, folder, tmp_path):
    write_png(folder / "a.png")
    (folder / "again").symlink_to(folder)
    (folder / "itself.png").symlink_to(folder / "itself.png")
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("d", dir_fd=deep)
        deeper = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = deeper
    os.close(deep)
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    flatten(folder / "d", tmp_path / "aside")
    assert result.code == 0, result.err
    assert "1 done, 0 already done, 0 failed" in result.err


def flatten(deep: Path, aside: Path) -> None:
    """Remove a chain of folders that is too deep for what removes the test's folder."""
    while (deep / "d").exists():
        (deep / "d").rename(aside)
        deep.rmdir()
        aside.rename(deep)


@contextmanager
def disk_full_after(size: int):
    """Let no file grow beyond `size` bytes, as the system itself enforces it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@fault(AREA, "a disk that is full after 2,000 or 5,000 bytes", "one line a photo; no torn file")
@pytest.mark.parametrize("size", [2_000, 5_000])
def test_a_full_disk(cli, folder, tmp_path, size):
    write_png(folder / "a.png")
    small = Image.new("RGB", (9, 9))
    small.save(folder / "b.png")
    with disk_full_after(size):
        alone = cli("separate", folder / "a.png")
        batch = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert alone.code == 1
    assert "File too large" in alone.err
    assert files(folder) == {"a.png", "b.png"}
    assert batch.code != 0
    assert "Traceback" not in batch.err
    for path in (tmp_path / "out").glob("*.png"):
        assert read_photo(path).size == (9, 9)
    again = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert again.code == 0, again.err
    assert [record["ok"] for record in records(tmp_path / "out")] == [True, True]


@pytest.fixture
def read_only(monkeypatch):
    """Make a folder one that cannot be written, for root too."""

    def freeze(folder: Path) -> None:
        def open_(path, mode="r", *args, real=Path.open, **kwargs):
            if folder in path.parents and set(mode) & set("wax+"):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return real(path, mode, *args, **kwargs)

        monkeypatch.setattr(Path, "open", open_)

    return freeze


@fault(AREA, "a read-only output folder", "one line, code 1 or 2, nothing written")
def test_a_read_only_folder(cli, folder, tmp_path, read_only):
    write_png(folder / "a.png")
    output = tmp_path / "out"
    output.mkdir()
    read_only(output)
    alone = cli("separate", folder / "a.png", "-o", output)
    assert (alone.code, alone.err.count("\n")) == (1, 1)
    assert "Read-only file system" in alone.err
    batch = cli("batch", folder, output, "--workers", 1)
    assert (batch.code, batch.err.count("\n")) == (2, 1)
    assert "Read-only file system" in batch.err
    assert not files(output)


@fault(AREA, "a disk that fills before the manifest's next line", "one line; then resumed")
def test_a_manifest_that_cannot_grow(cli, folder, tmp_path, monkeypatch):
    from pellucid.batch.manifest import Manifest

    for name in ("a.png", "b.png"):
        write_png(folder / name)
    add = Manifest.add

    def add_on_full_disk(self, record):
        with disk_full_after(self.path.stat().st_size if self.path.exists() else 0):
            add(self, record)

    with monkeypatch.context() as patched:
        patched.setattr(Manifest, "add", add_on_full_disk)
        result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 2
    assert "manifest.jsonl cannot be written (File too large)" in result.err
    assert "Traceback" not in result.err
    assert cli("batch", folder, tmp_path / "out", "--workers", 1).code == 0
    assert [record["ok"] for record in records(tmp_path / "out")] == [True, True]


@fault(AREA, "a manifest of nonsense, of another shape, nested without end", "read as empty")
@pytest.mark.parametrize(
    "line", ["[" * 100_000, "\0\xff", '{"photo": {}, "notes": [], "size": null}', "7", "[]"]
)
def test_a_manifest_of_nonsense(cli, folder, tmp_path, line):
    write_png(folder / "a.png")
    output = tmp_path / "out"
    output.mkdir()
    (output / "manifest.jsonl").write_text(line + "\n", "latin-1")
    assert cli("batch", folder, output, "--workers", 1).code == 0
    assert [record["photo"] for record in records(output)] == ["a.png"]


@fault(AREA, "words beside a photo that are binary, huge or nested without end", "one failure")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[" * 100_000),
        ("a.json", b"\xff\xfe\0"),
        ("a.json", b"7"),
        ("a.json", b'{"transmission": "' + b"x" * 10**6 + b'"}'),
        ("a.txt", b"x" * 10**6),
    ],
)
def test_words_beside_a_photo(cli, folder, tmp_path, name, content):
    for photo in ("a.png", "b.png"):
        write_png(folder / photo)
    (folder / name).write_bytes(content)
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 1
    assert "1 done, 0 already done, 1 failed" in result.err
    assert len(result.err) < 2_000


@fault(AREA, "standard error closed", "the work is done; a picture on standard output stays whole")
def test_nobody_to_listen(cli, folder, tmp_path, monkeypatch):
    photo = write_png(folder / "a.png")
    monkeypatch.setattr(sys, "stderr", None)
    result = cli("separate", photo, "-o", "-", "--format", "png")
    assert result.code == 0
    (tmp_path / "got.png").write_bytes(result.out)
    assert read_photo(tmp_path / "got.png").size == (60, 40)
    assert cli("batch", folder, tmp_path / "out", "--workers", 1).out == b""
    assert len(records(tmp_path / "out")) == 1


@fault(AREA, "standard output or error on a full disk", "one line and code 1; or the work is done")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stream_on_a_full_disk(folder):
    photo = write_png(folder / "a.png")
    command = [sys.executable, "-m", "pellucid", "info"]
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            command, env=SOURCE_FIRST, stdout=full, stderr=subprocess.PIPE, text=True
        )
        assert told.returncode == 1
        assert told.stderr.startswith("error: ")
        assert "Traceback" not in told.stderr
        work = [sys.executable, "-m", "pellucid", "separate", str(photo)]
        assert subprocess.run(work, env=SOURCE_FIRST, stderr=full).returncode == 0
    assert len(files(folder)) == 3


@fault(AREA, "two runs write one file at once", "a reader sees one or the other, whole")
def test_two_writers_of_one_file(tmp_path):
    target = tmp_path / "layer.bin"
    contents = [bytes([number]) * 1_000_000 for number in (1, 2)]
    replace_file(target, contents[0], "layer.bin")

    def write(content: bytes) -> None:
        for _ in range(10):
            replace_file(target, content, "layer.bin")

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert target.read_bytes() in contents
    assert files(tmp_path) == {"layer.bin"}


@fault(AREA, "a photo that is changed after it was separated", "a batch does it again")
def test_a_changed_photo_is_done_again(cli, folder, tmp_path):
    photo = write_png(folder / "a.png")
    assert cli("batch", folder, tmp_path / "out", "--workers", 1).code == 0
    old = photo.stat()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(photo)
    os.utime(photo, ns=(old.st_atime_ns, old.st_mtime_ns))
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert "1 done, 0 already done" in result.err
