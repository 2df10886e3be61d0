import dataclasses
import json

import pytest

from pellucid.benchmark.machine import describe_machine
from pellucid.benchmark.measure import Cost, Row
from pellucid.benchmark.result import (
    TITLES,
    Speed,
    cells,
    machine_line,
    read_speed,
    write_speed,
)
from pellucid.errors import DataError

ROWS = [
    Row("cpu", 4000, 3000, Cost(2.0, 3.0, 400.0), Cost(1.2, 2.0, 450.0)),
    Row("cuda", 1000, 1000, None, Cost(0.25, 0.2, 900.0)),
]


@pytest.fixture
def speed():
    return Speed("abc", 3, describe_machine(), ROWS)


def test_round_trip(tmp_path, speed):
    write_speed(tmp_path / "new" / "speed.json", speed)
    assert read_speed(tmp_path / "new" / "speed.json") == speed


def test_it_says_which_machine_and_not_its_name(tmp_path, speed):
    write_speed(tmp_path / "speed.json", speed)
    document = json.loads((tmp_path / "speed.json").read_text())
    assert document["machine"]["threads"] >= 1
    assert document["machine"]["packages"]["onnxruntime"]
    fields = {"processor", "threads", "memory_gb", "load", "system", "python", "packages"}
    assert set(document["machine"]) == fields


def test_a_line_of_the_table():
    assert len(cells(ROWS[0])) == len(TITLES)
    assert cells(ROWS[0]) == ["12 Mpx", "2.00", "3.00", "400", "1.20", "2.00", "450", "0.10"]
    assert cells(ROWS[1])[:2] == ["1 Mpx, cuda", "–"]


def test_the_machine_in_words(speed):
    unknown = dataclasses.replace(speed.machine, memory_gb=None, load=None, threads=2)
    line = machine_line(unknown)
    assert ", 2 threads; " in line
    assert "Load" not in line
    assert "numpy" in line


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 9, "rows": []}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "speed.json").write_text(text)
    with pytest.raises(DataError, match=r"speed\.json"):
        read_speed(tmp_path / "speed.json")
