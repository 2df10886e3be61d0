"""Descriptions that no one should have to type."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pellucid.separator import Separator

from ..photo import samples
from . import fault
from .attacks.images import encoded

PICTURE = samples.smooth(64, 96)

ODD = {
    "blank": " \t\n\u3000",
    "NUL": "a car\0 behind",
    "right to left": "\u202eבית ליד הים",
    "emoji": "🚗🏽\u200d🚒 🏠",
    "lone surrogates": "a \ud800 car \udfff",
    "ANSI escapes": "\x1b[2J\x1b]0;evil\x07a car",
    "HTML": "<script>alert(1)</script>",
    "a path": "../../etc/passwd",
    "a template": "{0.__class__} %s ${HOME} `id`",
    "nonsense": "qzx vlorp mnnngh",
    "another language": "窓の外に赤い車があります",
    "combining marks": "e" + 300 * "\u0301",
    "2,000 characters without a blank": "x" * 2_000,
    "one word 1,000 times": "car " * 499,
}


@pytest.fixture(scope="module")
def separator(tiny_weights) -> Separator:
    return Separator.load(tiny_weights, threads=1)


def is_sound(separation) -> None:
    whole = separation.transmission + separation.reflection + separation.residual
    np.testing.assert_allclose(whole, separation.source.light(), atol=1e-6)
    assert np.isfinite(separation.transmission).all()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            text, id=name, marks=fault("text", name, "separated; layers add up to the photo")
        )
        for name, text in ODD.items()
    ],
)
def test_odd_words(separator, text):
    is_sound(separator.separate(PICTURE, transmission=text, reflection=text))


@fault("text", "the same text for both layers", "separated; layers add up to the photo")
@fault("text", "descriptions swapped", "separated; layers add up to the photo")
def test_words_that_contradict_each_other(separator):
    is_sound(separator.separate(PICTURE, transmission="a red car", reflection="a red car"))
    is_sound(separator.separate(PICTURE, transmission="mirrored sky", reflection="the room"))


@fault("text", "a megabyte", "refused in one short line that names the limit")
def test_a_megabyte(cli, tmp_path):
    result = cli("separate", tmp_path / "none.png", "-t", "x" * 1_000_000)
    assert result.code == 2
    assert "at most 2000" in result.err
    assert len(result.err) < 300


@fault("text", "lone surrogates, ANSI and HTML in the words, with --json", "valid JSON, escaped")
@pytest.mark.parametrize("name", ["ANSI escapes", "lone surrogates", "HTML", "right to left"])
def test_json_of_odd_words(cli, tmp_path, name):
    (tmp_path / "photo.png").write_bytes(encoded("PNG"))
    result = cli("separate", tmp_path / "photo.png", "-t", ODD[name], "--json")
    assert result.code == 0
    assert result.out.isascii()
    assert b"\x1b" not in result.out
    record = json.loads(result.out)
    assert record["words"]["transmission"]
