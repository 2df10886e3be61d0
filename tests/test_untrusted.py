"""JSON and names of unknown origin."""

from __future__ import annotations

import json

import pytest

from pellucid.untrusted import parse_json, printable


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 200_000, '{"a":' * 200_000])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        parse_json(text)


def test_json_is_parsed():
    assert parse_json('{"a": [1]}') == parse_json(b'{"a": [1]}') == {"a": [1]}


def test_printable_escapes_what_steers_a_terminal():
    assert printable("a\x1b[31m\n\u202eb\udcff é 中") == r"a\x1b[31m\n\u202eb\udcff é 中"
