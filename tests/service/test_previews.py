from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pellucid.photo import photo_from_array
from pellucid.separation import WordMap
from pellucid.service.previews import _description, reduced, verdict


@pytest.mark.parametrize(
    ("gate", "said"), [(0.05, "ignored"), (0.4, "in part"), (0.9, "followed.")]
)
def test_the_gate_in_plain_words(gate, said):
    assert said in verdict(gate)


def test_large_photos_are_reduced_and_small_ones_are_not():
    large = photo_from_array(np.zeros((400, 2560, 3), np.uint16))
    assert reduced(large).size == (1280, 200)
    assert reduced(large).depth == 8
    assert reduced(photo_from_array(np.zeros((4, 6, 3), np.uint8))).size == (6, 4)


def test_transparency_is_kept():
    photo = photo_from_array(np.full((8, 8, 4), 100, np.uint8))
    assert reduced(photo).alpha is not None


def test_words_share_one_scale():
    weights = [np.full((2, 3), value, np.float32) for value in (0.1, 0.2)]
    shown = _description(0.7, tuple(WordMap(w, m) for w, m in zip("ab", weights, strict=True)))
    assert shown is not None
    maps = [word.map.partition(",")[2] for word in shown.words]
    opacities = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(m))).getchannel("A")).max() for m in maps
    ]
    assert opacities == [128, 255]


def test_nothing_said_nothing_shown():
    assert _description(None, ()) is None
