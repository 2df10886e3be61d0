import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import PhotoError
from pellucid.photo import Photo, photo_from_array, srgb_to_linear
from pellucid.photo.icc import parse_icc
from pellucid.photo.photo import to_eight_bits

from . import samples

PROFILES = {
    "sRGB": samples.rgb_icc(),
    "Display P3": samples.rgb_icc(samples.P3_PRIMARIES),
    "Adobe RGB": samples.rgb_icc(samples.ADOBE_PRIMARIES, samples.gamma_curve(2.19921875)),
    "table": samples.rgb_icc(samples.P3_PRIMARIES, samples.table_curve(np.linspace(0, 1, 64) ** 2)),
    "dark steps": samples.rgb_icc(curve=samples.table_curve([0, 0, 0, 0.2, 0.6, 1, 1])),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES)
def test_unchanged_light_gives_the_very_codes(icc, dtype):
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    ramps = np.concatenate([every, every[::-1], every[:, ::-1]], axis=-1)
    pixels = np.concatenate(
        [every.repeat(3, axis=-1), ramps, samples.codes(16, every.shape[1], dtype=dtype)]
    )
    photo = Photo(pixels, profile=parse_icc(icc))
    again = photo.with_light(photo.light())
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype


@pytest.mark.parametrize("name", ["sRGB", "Display P3", "Adobe RGB"])
def test_the_codes_come_back_through_the_curves_alone(name):
    # Not from the old pixels: a black photo of the same profile takes the light up.
    pixels = samples.codes(64, 64)
    photo = Photo(pixels, profile=parse_icc(PROFILES[name]))
    black = Photo(np.zeros_like(pixels), profile=photo.profile)
    np.testing.assert_array_equal(black.with_light(photo.light()).pixels, pixels)


def test_sixteen_bit_srgb_comes_back_through_the_curve_alone():
    pixels = samples.codes(64, 64, dtype=np.uint16)
    black = photo_from_array(np.zeros_like(pixels))
    np.testing.assert_array_equal(black.with_light(photo_from_array(pixels).light()).pixels, pixels)


def test_light_is_linear_srgb():
    photo = photo_from_array(samples.codes())
    assert photo.light().dtype == np.float32
    np.testing.assert_allclose(photo.light(), srgb_to_linear(photo.pixels / 255), atol=1e-6)


def test_rows_are_a_photo_of_their_own():
    photo = photo_from_array(samples.codes(channels=4))
    part = photo.rows(2, 5)
    np.testing.assert_array_equal(part.light(), photo.light()[2:5])
    np.testing.assert_array_equal(part.alpha, photo.alpha[2:5])
    assert np.shares_memory(part.pixels, photo.pixels)
    assert part.profile is photo.profile


def test_sixteen_bits_go_to_the_nearest_of_eight():
    every = np.arange(65536, dtype=np.uint16)
    assert np.abs(to_eight_bits(every) * 257.0 - every).max() <= 128
    assert to_eight_bits(np.arange(256, dtype=np.uint8)).tolist() == list(range(256))


def test_with_light_keeps_everything_else():
    photo = photo_from_array(samples.codes(channels=4))
    again = photo.with_light(photo.light() * 0.5)
    assert again.alpha is photo.alpha
    assert again.metadata is photo.metadata
    assert again.size == (17, 13)
    np.testing.assert_allclose(again.light(), photo.light() * 0.5, atol=0.005)


def test_partly_changed_light():
    photo = photo_from_array(samples.codes())
    light = photo.light()
    light[3:5] = 1.0
    expected = photo.pixels.copy()
    expected[3:5] = 255
    np.testing.assert_array_equal(photo.with_light(light).pixels, expected)


def test_unchanged_pixels_keep_codes_that_light_alone_cannot_tell():
    pixels = samples.codes(8, 8, dtype=np.uint16)
    pixels[..., 0], pixels[..., 1] = np.arange(64).reshape(8, 8), 65535
    photo = Photo(pixels, profile=parse_icc(PROFILES["Adobe RGB"]))
    light = photo.light()
    light[5:] *= 0.5
    again = photo.with_light(light).pixels
    np.testing.assert_array_equal(again[:5], pixels[:5])
    assert (again[5:] != pixels[5:]).any(axis=-1).all()


@settings(max_examples=30)
@given(st.floats(-1, 2, width=32))
def test_light_is_clipped_to_what_the_photo_can_hold(value):
    photo = photo_from_array(np.full((2, 2, 3), 7, np.uint8))
    codes = photo.with_light(np.full((2, 2, 3), value, np.float32)).pixels
    expected = np.clip(value, 0, 1)
    assert abs(float(srgb_to_linear(codes[0, 0, 0] / 255)) - expected) < 0.006


@pytest.mark.parametrize(
    "light, words",
    [
        (np.zeros((3, 3, 3), np.float32), "does not fit"),
        (np.full((13, 17, 3), np.nan, np.float32), "not numbers"),
    ],
)
def test_light_that_cannot_be_used(light, words):
    with pytest.raises(PhotoError, match=words):
        photo_from_array(samples.codes()).with_light(light)


def test_in_srgb_is_the_same_light():
    photo = Photo(
        samples.codes(), profile=parse_icc(samples.rgb_icc(curve=samples.gamma_curve(1.8)))
    )
    np.testing.assert_allclose(photo.in_srgb().light(), photo.light(), atol=0.006)
    assert photo.in_srgb().profile.icc is None


def test_grey_stays_grey_only_while_it_is():
    photo = photo_from_array(samples.codes(channels=1))
    assert photo.grey and photo.is_grey()
    light = photo.light()
    assert photo.with_light(light * 0.7).is_grey()
    light[..., 0] *= 0.5
    assert not photo.with_light(light).is_grey()
