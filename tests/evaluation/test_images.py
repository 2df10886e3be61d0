import numpy as np
from PIL import Image

from pellucid.evaluation.images import from_light, read_image, to_8bit, to_light


def test_rounding_is_to_nearest_and_clips() -> None:
    values = np.array([[[-1.0, 0.0, 0.4999 / 255], [0.5001 / 255, 254.6 / 255, 2.0]]])
    np.testing.assert_array_equal(to_8bit(values), [[[0, 0, 0], [1, 255, 255]]])


def test_light_and_bytes_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(to_8bit(from_light(to_light(levels))), levels)


def test_reading_is_upright_and_8_bit(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    Image.new("RGB", (20, 10), (200, 100, 50)).save(tmp_path / "turned.png", exif=exif)
    image = read_image(tmp_path / "turned.png")
    assert image.shape == (20, 10, 3)
    assert image.dtype == np.uint8
    assert tuple(image[0, 0]) == (200, 100, 50)
