import numpy as np
import pytest
from PIL import Image

from pellucid.benchmark.picture import draw, picture_size, write_picture


@pytest.mark.parametrize("megapixels", [0.1, 1, 12, 48])
def test_size_is_as_asked_and_four_to_three(megapixels):
    width, height = picture_size(megapixels)
    assert width * height == pytest.approx(megapixels * 1e6, rel=0.01)
    assert width / height == pytest.approx(4 / 3, rel=0.01)


def test_the_same_picture_everywhere_with_grain():
    picture = draw(0.02)
    np.testing.assert_array_equal(picture, draw(0.02))
    grain = np.diff(picture.astype(float), axis=1).std()
    assert 3 < grain < 15
    assert np.ptp(picture) > 100


def test_it_is_written_as_a_jpeg(tmp_path):
    write_picture(tmp_path / "photo.jpg", 0.01)
    assert Image.open(tmp_path / "photo.jpg").size == picture_size(0.01)
