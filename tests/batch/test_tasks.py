"""Tasks: names that never meet, keys that change with whatever matters."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.batch.tasks import (
    BatchOptions,
    Record,
    Task,
    check_collisions,
    is_photo,
    targets,
)
from pellucid.errors import ConfigError
from pellucid.layer_files import Format, Layers

STEM = st.text(st.characters(whitelist_categories=("L", "N")), min_size=1, max_size=4)
NAMES = st.builds(
    lambda stem, suffix: stem + suffix,
    STEM,
    st.sampled_from([".jpg", ".JPG", ".png", ".tif", ".nef", ".gif", ".webp"]),
)


@given(st.sets(NAMES, min_size=2, max_size=6), st.sampled_from([None, Format.PNG, Format.JPEG]))
def test_different_photos_have_different_targets(names, format):
    made = [t for name in names for t in targets(name, BatchOptions(format=format)).values()]
    assert len(set(made)) == 2 * len(names)


@pytest.mark.parametrize(
    ("photo", "format", "expected"),
    [
        ("trip/a.jpg", None, "trip/a.transmission.jpg"),
        ("a.jpg", Format.PNG, "a.jpg.transmission.png"),
        ("a.nef", None, "a.nef.transmission.tif"),
        ("a.JPG", None, "a.transmission.JPG"),
    ],
)
def test_targets_keep_tree_and_suffix(photo, format, expected):
    assert targets(photo, BatchOptions(format=format))["transmission"] == expected


def test_only_the_layers_asked_for():
    assert set(targets("a.jpg", BatchOptions(layers=Layers.REFLECTION))) == {"reflection"}


def test_names_that_differ_in_case_only_are_refused():
    tasks = [Task(n, None, None, targets(n, BatchOptions())) for n in ("a.jpg", "A.jpg")]
    with pytest.raises(ConfigError, match=r"a\.jpg and A\.jpg would both be written"):
        check_collisions(tasks)


def test_the_key_changes_with_all_that_the_layers_depend_on():
    task = Task("a.jpg", "a room", None, {"transmission": "t.jpg"})
    options = BatchOptions()
    keys = {
        task.key(b"1", options, "w"),
        task.key(b"2", options, "w"),
        task.key(b"1", dataclasses.replace(options, strength=50), "w"),
        task.key(b"1", options, "w2"),
        dataclasses.replace(task, reflection="sky").key(b"1", options, "w"),
    }
    assert len(keys) == 5
    assert task.key(b"1", options, "w") in keys


def test_records_survive_their_line():
    record = Record(
        "ä\n.jpg", True, "k", {"transmission": "t"}, (3, 4), {"reflection": 0.5}, ("n",)
    )
    assert "\n" not in record.line()
    assert Record.parse(record.line()) == record


@pytest.mark.parametrize("line", ["", "{", '{"photo": 1}', "[]", '{"photo": "a", "x": 1}'])
def test_a_torn_line_is_no_record(line):
    assert Record.parse(line) is None


@pytest.mark.parametrize(("name", "expected"), [("a.JPG", True), ("a.cr2", True), ("a.txt", False)])
def test_photos_are_known_by_their_suffix(name, expected):
    assert is_photo(name) is expected
