"""Passes of a JPEG, counted without decoding."""

from __future__ import annotations

import pytest
from PIL import Image

from pellucid.photo import read_photo
from pellucid.photo.jpeg import MOST_PASSES, count_passes

from . import samples


def test_a_plain_jpeg_makes_one_pass():
    assert count_passes(samples.jpeg()) == 1


def test_a_progressive_jpeg_makes_about_ten():
    assert 5 <= count_passes(samples.jpeg(progressive=True)) <= 20 < MOST_PASSES


def test_what_follows_the_picture_does_not_count():
    film = samples.jpeg() + 1_000 * b"\xff\xda\0\0"
    assert count_passes(film) == 1
    assert read_photo(film).size == (64, 48)


def test_a_thumbnail_does_not_count():
    small = samples.image_bytes(Image.new("RGB", (16, 16)), "JPEG", progressive=True)
    block = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    data = samples.jpeg()
    assert count_passes(data[:2] + block + data[2:]) == 1


@pytest.mark.parametrize(
    "data", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8" * 9]
)
def test_what_is_cut_short_ends(data):
    assert count_passes(data) <= 1
