"""The files of layers: their names go with their formats, and strength is the transmission's."""

import numpy as np
import pytest

from pellucid.layer_files import FORMATS, Format, Layers, shown_by, target_suffix
from pellucid.photo import photo_from_array
from pellucid.photo.encode import WRITABLE
from pellucid.photo.write import SUFFIXES
from pellucid.separation import Gates, Separation, WordMaps
from pellucid.upscaling import WorkingLayers


def test_every_format_that_can_be_written_has_a_name_and_suffixes():
    assert {format.pillow_name for format in Format} == WRITABLE
    assert set(FORMATS) == set(SUFFIXES)
    assert set(FORMATS.values()) == set(Format)


@pytest.mark.parametrize(
    ("suffix", "format", "expected"),
    [
        (".JPEG", None, ".JPEG"),
        (".jpe", Format.JPEG, ".jpe"),
        (".png", Format.JPEG, ".jpg"),
        (".jpg", Format.HEIC, ".heic"),
        (".heif", None, ".heif"),
        (".NEF", None, ".tif"),
        (".gif", None, ".png"),
        ("", None, ".png"),
    ],
)
def test_a_layer_keeps_its_photos_suffix_where_that_fits(suffix, format, expected):
    assert target_suffix(suffix, format) == expected


def test_which_layers():
    assert Layers.BOTH.chosen == Layers.TRANSMISSION.chosen + Layers.REFLECTION.chosen


def test_strength_shapes_the_transmission_only():
    photo = photo_from_array(np.full((4, 5, 3), 128, np.uint8))
    light = photo.light()
    layers = WorkingLayers(light, 0.75 * light, 0.25 * light)
    separation = Separation(photo, layers, Gates(None, None), WordMaps((), ()))
    reflections = [shown_by(separation, "reflection", strength).pixels for strength in (0, 100)]
    assert np.array_equal(*reflections)
    assert shown_by(separation, "transmission", 0) is photo
    whole = shown_by(separation, "transmission", 100).pixels
    assert np.array_equal(whole, separation.photo("transmission").pixels)
