import json
from pathlib import Path

import pytest

from pellucid.errors import DataError
from pellucid.evaluation.pairs import Descriptions, read_pairs_file


def test_reads_files_and_words(pairs_folder: Path) -> None:
    first, _, third = read_pairs_file(pairs_folder / "pairs.jsonl")
    assert first.name == "photo-0"
    assert first.mixture == pairs_folder / "0_m.png"
    assert first.reflection == pairs_folder / "0_r.png"
    assert first.peer_transmission == pairs_folder / "0_pt.png"
    assert first.words == Descriptions("a red car", "a tall tree")
    assert third.words == Descriptions("a wooden chair", None)


def test_optional_entries_may_be_left_out(pairs_folder: Path) -> None:
    listed = pairs_folder / "short.jsonl"
    line = {"id": "x", "mixture": "0_m.png", "transmission": "0_t.png", "reflection": None}
    listed.write_text(json.dumps(line) + "\n\n")
    (pair,) = read_pairs_file(listed)
    assert pair.reflection is pair.peer_transmission is None
    assert pair.words == Descriptions()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{not json", "line 1: not JSON"),
        ('["a list"]', "line 1: expected an object"),
        ('{"id": "x", "transmission": "0_t.png"}', "'mixture' is missing"),
        ('{"id": "x", "mixture": "gone.png", "transmission": "0_t.png"}', "gone.png is not there"),
        ('{"id": 7, "mixture": "0_m.png", "transmission": "0_t.png"}', "'id' should be text"),
        ("", "lists no pair"),
    ],
)
def test_faults_say_where_and_what(pairs_folder: Path, text: str, message: str) -> None:
    listed = pairs_folder / "faulty.jsonl"
    listed.write_text(text)
    with pytest.raises(DataError, match=message):
        read_pairs_file(listed)


def test_ids_must_differ(pairs_folder: Path) -> None:
    listed = pairs_folder / "pairs.jsonl"
    lines = listed.read_text().splitlines()
    listed.write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(DataError, match="'photo-1' occurs twice"):
        read_pairs_file(listed)
