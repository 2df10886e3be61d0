import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pellucid.enlarging import RowEnlarger, cubic_weights


def random_maps(count, height, width):
    return list(np.random.default_rng(0).random((count, height, width)).astype(np.float32))


def by_pillow(small, size):
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


SMALL = st.integers(1, 30)


@settings(max_examples=60)
@given(SMALL, SMALL, st.integers(0, 70), st.integers(0, 70))
def test_equals_pillow(height, width, more_rows, more_columns):
    maps = random_maps(2, height, width)
    size = (width + more_columns, height + more_rows)
    rows = RowEnlarger(maps, size).rows(0, size[1])
    for ours, small in zip(rows, maps, strict=True):
        np.testing.assert_allclose(ours, by_pillow(small, size), atol=2e-6)


@settings(max_examples=30)
@given(st.data())
def test_any_rows_are_rows_of_the_whole(data):
    enlarger = RowEnlarger(random_maps(3, 20, 11), (40, 131))
    start = data.draw(st.integers(0, 130))
    stop = data.draw(st.integers(start + 1, 131))
    whole = enlarger.rows(0, 131)
    np.testing.assert_allclose(enlarger.rows(start, stop), whole[:, start:stop], atol=1e-6)


def test_a_wide_map_is_worked_on_in_small_products():
    small = random_maps(1, 3, 5)
    rows = RowEnlarger(small, (40_000, 9)).rows(0, 9)
    np.testing.assert_allclose(rows[0], by_pillow(small[0], (40_000, 9)), atol=2e-6)


@pytest.mark.parametrize(("small", "large"), [(1, 7), (3, 8), (320, 3000), (320, 321)])
def test_weights_sum_to_one(small, large):
    first, weights = cubic_weights(small, large, 0, large)
    assert first == 0
    assert weights.shape == (large, small)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
