import io

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import PhotoError
from pellucid.photo import photo_from_array, photo_from_image, write_photo

from . import samples


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays(dtype, channels):
    codes = samples.codes(channels=channels, dtype=dtype)
    photo = photo_from_array(codes)
    assert photo.pixels.dtype == dtype and photo.pixels.shape == (13, 17, 3)
    np.testing.assert_array_equal(photo.pixels, np.broadcast_to(codes[..., :3], (13, 17, 3)))
    assert (photo.alpha is not None) == (channels == 4)
    assert photo.grey == (channels == 1)


def test_grey_plane_and_floats():
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    photo = photo_from_array(values)
    assert photo.pixels.dtype == np.uint16 and photo.grey
    np.testing.assert_allclose(photo.pixels[..., 0] / 65535, values, atol=1e-5)


def test_the_array_is_copied():
    codes = samples.codes()
    photo = photo_from_array(codes)
    codes[:] = 0
    assert photo.pixels.any()


@pytest.mark.parametrize(
    "array, words",
    [
        (np.zeros((2, 2, 2), np.uint8), "no picture"),
        (np.zeros(5, np.uint8), "no picture"),
        (np.zeros((0, 4, 3), np.uint8), "no picture"),
        (np.zeros((2, 2, 3), np.int64), "not supported"),
        (np.zeros((2, 2, 3), bool), "not supported"),
        (np.full((2, 2), np.nan), "not numbers"),
        (np.full((2, 2), 255.0), "outside 0 to 1"),
    ],
)
def test_arrays_that_are_no_photo(array, words):
    with pytest.raises(PhotoError, match=words):
        photo_from_array(array)


def test_an_image_keeps_profile_and_orientation():
    image = Image.fromarray(samples.codes())
    image.info["icc_profile"] = samples.rgb_icc(samples.P3_PRIMARIES)
    image.getexif()[0x0112] = 6
    photo = photo_from_image(image)
    assert photo.size == (13, 17)
    assert photo.profile.icc == image.info["icc_profile"]


def test_the_format_is_the_files_or_one_without_loss():
    assert photo_from_image(Image.fromarray(samples.codes())).source_format == "PNG"
    assert photo_from_image(Image.open(io.BytesIO(samples.jpeg()))).source_format == "JPEG"
    phone = Image.open(io.BytesIO(samples.jpeg()))
    phone.format = "MPO"  # a JPEG with further pictures behind it
    assert photo_from_image(phone).source_format == "JPEG"
    assert photo_from_array(samples.codes()).source_format == "PNG"


def test_a_deep_file_opened_by_pillow_is_refused(tmp_path):
    path = tmp_path / "deep.png"
    write_photo(photo_from_array(samples.codes(dtype=np.uint16)), path)
    with Image.open(path) as image, pytest.raises(PhotoError, match=r"deep\.png.*use read_photo"):
        photo_from_image(image)


def test_a_truncated_image():
    image = Image.open(io.BytesIO(samples.jpeg()[:-300]))
    with pytest.raises(PhotoError, match="cannot be decoded"):
        photo_from_image(image)
