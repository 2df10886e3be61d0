"""Words: a photo's own before those for all, tables and files beside photos."""

from __future__ import annotations

import pytest

from pellucid.batch.stores import FolderStore
from pellucid.batch.words import WordBook, Words, read_table
from pellucid.errors import DataError


def book(folder, **more) -> WordBook:
    return WordBook(sidecars=frozenset(FolderStore(folder).names()), **more)


def test_a_json_file_beside_the_photo(tmp_path):
    (tmp_path / "a.json").write_text('{"transmission": "a room", "reflection": null}')
    assert book(tmp_path).find("a.jpg", FolderStore(tmp_path)) == Words("a room")


def test_the_file_with_the_whole_name_comes_first(tmp_path):
    (tmp_path / "a.json").write_text('{"transmission": "both"}')
    (tmp_path / "a.png.json").write_text('{"transmission": "the png"}')
    store = FolderStore(tmp_path)
    assert book(tmp_path).find("a.png", store).transmission == "the png"
    assert book(tmp_path).find("a.jpg", store).transmission == "both"


def test_a_text_file_has_a_line_for_each_layer(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffa room\nhouses\n", "utf-8")
    (tmp_path / "b.txt").write_text("\nhouses")
    store = FolderStore(tmp_path)
    assert book(tmp_path).find("a.jpg", store) == Words("a room", "houses")
    assert book(tmp_path).find("b.jpg", store) == Words(None, "houses")


def test_a_photos_own_words_come_before_those_for_all(tmp_path):
    found = book(tmp_path, for_all=Words("glass", "sky"), table={"a.jpg": Words("a room")})
    assert found.find("a.jpg", FolderStore(tmp_path)) == Words("a room", "sky")
    assert found.find("b.jpg", FolderStore(tmp_path)) == Words("glass", "sky")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.csv", 'photo,transmission,reflection\na.jpg,"a room, lit",sky\n./b.jpg,,sky\n'),
        (
            "w.jsonl",
            '{"photo": "a.jpg", "transmission": "a room, lit", "reflection": "sky"}\n\n'
            '{"photo": "b.jpg", "reflection": "sky"}\n',
        ),
    ],
)
def test_tables(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    table = read_table(tmp_path / name)
    assert table["a.jpg"] == Words("a room, lit", "sky")
    assert not table["b.jpg"].transmission


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.csv", "file,transmission\na.jpg,x\n", "columns photo"),
        ("w.csv", "photo,transmission\na.jpg,x\na.jpg,y\n", "described twice"),
        ("w.jsonl", "{", "not a table"),
        ("w.jsonl", '"a"', "not a table"),
    ],
)
def test_a_table_that_is_none_says_so(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        read_table(tmp_path / "gone.csv")


def test_a_sidecar_that_is_no_description_is_named(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match=r"a\.json is no description"):
        book(tmp_path).find("a.jpg", FolderStore(tmp_path))
