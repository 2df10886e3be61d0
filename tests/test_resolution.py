import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.resolution import WorkingResolution, area_downscale

SIDES = st.integers(1, 20_000)


@settings(max_examples=200)
@given(SIDES, SIDES)
def test_fit_obeys_its_limits_and_never_enlarges(width, height):
    working = WorkingResolution()
    fitted = working.fit((width, height))
    assert 1 <= fitted[0] <= width
    assert 1 <= fitted[1] <= height
    assert min(fitted) <= working.short_side
    long = max(fitted)
    padded = long * max(min(fitted), working.multiple)
    assert padded <= working.area + long  # rounding to whole pixels


@pytest.mark.parametrize("size", [(1, 1), (31, 7), (256, 256), (500, 256), (256, 512)])
def test_small_pictures_keep_their_size(size):
    assert WorkingResolution().fit(size) == size


def test_fit_keeps_the_shape():
    assert WorkingResolution().fit((4000, 3000)) == (341, 256)
    assert WorkingResolution().fit((3000, 4000)) == (256, 341)
    assert WorkingResolution().fit((6000, 1000)) == (887, 148)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 31), (64, 32), (256, 341)])
def test_pad_mirrors_up_to_multiples(shape):
    picture = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    padded = WorkingResolution().pad(picture)
    assert padded.shape[0] % 32 == padded.shape[1] % 32 == 0
    assert padded.shape[0] - shape[0] < 32
    assert padded.shape[1] - shape[1] < 32
    np.testing.assert_array_equal(padded[: shape[0], : shape[1]], picture)
    if 1 < shape[0] < padded.shape[0]:
        np.testing.assert_array_equal(padded[shape[0], : shape[1]], picture[-2])


def plain_area_downscale(picture, target):
    """Repeat every pixel until the target divides the picture, then average whole blocks."""
    height, width = picture.shape[:2]
    wide, high = target
    fine = picture.astype(np.float64).repeat(high, axis=0).repeat(wide, axis=1)
    return fine.reshape(high, height, wide, width, -1).mean(axis=(1, 3))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("size", "target"), [((40, 30), (13, 10)), ((41, 29), (40, 29)), ((7, 50), (1, 9))]
)
def test_area_downscale_is_the_exact_mean(size, target, threads, monkeypatch):
    monkeypatch.setattr("pellucid.resolution.BAND_PIXELS", 100)
    width, height = size
    picture = np.random.default_rng(1).random((height, width, 3)).astype(np.float32)
    small = area_downscale(lambda start, stop: picture[start:stop], size, target, threads)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, plain_area_downscale(picture, target), atol=2e-6)


def test_area_downscale_asks_for_bands_only():
    asked = []

    def rows(start, stop):
        asked.append(stop - start)
        return np.zeros((stop - start, 4000, 3), np.float32)

    area_downscale(rows, (4000, 3000), (341, 256))
    assert max(asked) <= 80


def test_long_and_thin_pictures_need_little_memory():
    picture = np.ones((60_000, 1, 3), np.float32)
    tracemalloc.start()
    area_downscale(lambda start, stop: picture[start:stop], (1, 60_000), (1, 6250))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
