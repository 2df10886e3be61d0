"""A region limits the effect: nothing changes outside it, to the bit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import photo_from_array
from pellucid.region import read_region
from pellucid.separator import Separator

SIZES = [(40, 30), (400, 300)]  # at the working resolution, and above it


@pytest.fixture(scope="module")
def separator(tiny_weights) -> Separator:
    return Separator.load(tiny_weights, threads=1)


def noise(width: int, height: int, dtype=np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top, (height, width, 3), dtype, endpoint=True)


def left_half(width: int, height: int) -> np.ndarray:
    region = np.zeros((height, width), np.float32)
    region[:, : width // 2] = 1
    return region


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("strength", [100, 40, -100])
def test_outside_the_region_every_bit_stays(separator, size, dtype, strength):
    pixels = noise(*size, dtype)
    separation = separator.separate(photo_from_array(pixels))
    limited = separation.within(left_half(*size)).blend(strength).pixels
    half = size[0] // 2
    assert np.array_equal(limited[:, half:], pixels[:, half:])
    wanted = separation.blend(strength).pixels[:, :half].astype(int)
    assert np.abs(limited[:, :half] - wanted).max() <= 1  # rounding
    assert not np.array_equal(limited[:, :half], pixels[:, :half])


@pytest.mark.parametrize("size", SIZES)
def test_layers_add_up_in_a_feathered_region(separator, size):
    pixels = noise(*size)
    region = np.linspace(0, 1, size[0] * size[1], dtype=np.float32).reshape(size[1], size[0])
    separation = separator.separate(photo_from_array(pixels)).within(region)
    total = separation.transmission + separation.reflection + separation.residual
    np.testing.assert_allclose(total, separation.source.light(), atol=1e-5)
    assert separation.reflection[0, 0].max() == 0


def test_a_whole_region_changes_nothing(separator):
    separation = separator.separate(photo_from_array(noise(400, 300)))
    whole = separation.within(np.ones((300, 400)))
    for layer in ("transmission", "reflection"):
        difference = whole.photo(layer).pixels.astype(int) - separation.photo(layer).pixels
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    "region", [np.ones((3, 3)), np.full((30, 40), 2.0), np.full((30, 40), np.nan)]
)
def test_a_region_that_does_not_fit_is_refused(separator, region):
    separation = separator.separate(photo_from_array(noise(40, 30)))
    with pytest.raises(ValueError, match="region"):
        separation.within(region)


def encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_a_mask_is_read_from_grey_or_from_opacity():
    grey = Image.fromarray(np.array([[0, 128, 255]], np.uint8))
    np.testing.assert_allclose(read_region(encoded(grey), (3, 1)), [[0, 128 / 255, 1]], atol=1e-6)
    painted = np.full((1, 3, 4), 255, np.uint8)
    painted[0, :, 3] = (0, 51, 255)
    weight = read_region(encoded(Image.fromarray(painted)), (3, 1))
    np.testing.assert_allclose(weight, [[0, 0.2, 1]], atol=1e-6)


def test_a_smaller_mask_of_the_same_shape_is_enlarged():
    mask = Image.fromarray(np.array([[0, 255], [0, 255]], np.uint8))
    weight = read_region(encoded(mask), (40, 40))
    assert weight.shape == (40, 40)
    assert weight[:, 0].max() == 0
    assert weight[:, -1].min() == 1


def test_a_mask_of_another_shape_is_refused(tmp_path):
    file = tmp_path / "mask.png"
    Image.new("L", (30, 10)).save(file)
    with pytest.raises(PhotoError, match=r"mask\.png is 30×10, the photo 40×30"):
        read_region(file, (40, 30))
