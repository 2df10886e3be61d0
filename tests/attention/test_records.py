from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pytest

from pellucid.attention.records import dump_record, json_schema, load_record

jsonschema = pytest.importorskip("jsonschema")


@dataclass(frozen=True)
class Inner:
    mean: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outer:
    kind: Literal["a", "b"]
    count: int
    sure: bool
    pair: tuple[int, float]
    rows: list[list[float]]
    parts: dict[str, Inner]


RECORD = Outer("a", 3, True, (1, 2.5), [[1.0, math.nan]], {"x": Inner(math.inf, ("p", "q"))})


def test_a_record_comes_back():
    text = dump_record(RECORD, "test", 2)
    again = load_record(Outer, text, "test", 2)
    assert dump_record(again, "test", 2) == text
    assert again.pair == (1, 2.5)
    assert again.parts["x"].names == ("p", "q")
    assert math.isnan(again.rows[0][1])
    assert math.isnan(again.parts["x"].mean)  # infinite numbers do not exist in JSON


def test_the_schema_takes_the_record_and_refuses_others():
    import json

    schema = json_schema(Outer, "test", 2)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    plain = json.loads(dump_record(RECORD, "test", 2))
    validator.validate(plain)
    for name, wrong in [
        ("kind", "c"),
        ("count", "3"),
        ("pair", [1]),
        ("rows", [1]),
        ("version", 3),
        ("more", 1),
    ]:
        assert not validator.is_valid(plain | {name: wrong}), name
    assert not validator.is_valid({name: plain[name] for name in plain if name != "sure"})
