"""`pellucid batch` as a person runs it; killed and run again in `tests/faults/test_killed.py`."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from .conftest import write_png


@pytest.fixture
def folder(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        write_png(photos / f"{number}.png", number)
    return photos


def test_all_photos_of_a_folder(cli, folder, tmp_path):
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 0
    assert "4 done, 0 already done, 0 failed" in result.err
    assert "[4/4" in result.err
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["photo"] for line in lines] == ["0.png", "1.png", "2.png", "3.png"]
    again = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert "0 done, 4 already done" in again.err


def test_a_bad_photo_gives_code_1(cli, folder, tmp_path):
    (folder / "1.png").write_text("words")
    result = cli("batch", folder, tmp_path / "out", "--workers", 1, "--quiet")
    assert result.code == 1
    assert "1.png" in result.err
    assert "3 done" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone", "out"], "not a folder"),
        (["photos", "photos"], "choose another"),
        (["photos", "out", "--words", "gone.csv"], "gone.csv cannot be read"),
        (["photos", "out", "--engine", "x"], "local or ray"),
        (["photos", "memory://out"], "--manifest"),
    ],
)
def test_wrong_use_gives_code_2(cli, folder, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = cli("batch", *arguments)
    assert result.code == 2
    assert message in result.err


def test_words_from_a_table_and_a_region(cli, folder, tmp_path):
    (tmp_path / "words.csv").write_text("photo,transmission,reflection\n0.png,a room,sky\n")
    Image.new("L", (60, 40), 0).save(tmp_path / "mask.png")
    more = ["--words", tmp_path / "words.csv", "--region", tmp_path / "mask.png"]
    result = cli("batch", folder, tmp_path / "out", "--workers", 1, *more)
    assert result.code == 0
    first = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[0])
    assert first["gates"] == {"transmission": 0.5, "reflection": 0.5}
    before, after = (
        Image.open(folder / "0.png"),
        Image.open(tmp_path / "out" / "0.transmission.png"),
    )
    assert before.tobytes() == after.convert(before.mode).tobytes()
