import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.photo import srgb_to_linear
from pellucid.photo.icc import parse_icc
from pellucid.photo.profile import (
    SRGB,
    SRGB_CURVE,
    ColourProfile,
    CurveTables,
    ParametricCurve,
    TableCurve,
    row_bands,
)

from . import samples

CURVES = {
    "sRGB": SRGB_CURVE,
    "linear": ParametricCurve(1.0),
    "gamma 1.8": ParametricCurve(1.8),
    "gamma 2.2": ParametricCurve(2.19921875),
    "gamma 3": ParametricCurve(3.0),
    "table": TableCurve(np.linspace(0, 1, 1024) ** 2.2),
}


@pytest.mark.parametrize("maximum", [255, 65535])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_every_code_comes_back(curve, maximum):
    tables = CurveTables(curve, maximum)
    codes = np.arange(maximum + 1)
    np.testing.assert_array_equal(tables.encode(tables.levels), codes)


@pytest.mark.parametrize("maximum", [255, 65535])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_encoding_is_the_nearest_code(curve, maximum, seed):
    encoded = np.random.default_rng(seed).random(500)
    light = curve(encoded).astype(np.float32)
    exact = encoded * maximum
    # Half a code, and a little for the rounding of light to float32.
    assert np.abs(CurveTables(curve, maximum).encode(light) - exact).max() < 0.506


def test_a_flat_curve_is_searched():
    curve = TableCurve(np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0]))
    tables = CurveTables(curve, 255)
    light = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
    np.testing.assert_allclose(tables.levels[tables.encode(light)], light, atol=0.02)


def test_values_out_of_range_are_clipped():
    light = np.array([-1.0, -0.0, 1.5, np.inf], np.float32)
    np.testing.assert_array_equal(CurveTables(SRGB_CURVE, 255).encode(light), [0, 0, 255, 255])


def test_srgb_is_the_transfer_function():
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    light = np.empty(codes.shape, np.float32)
    SRGB.decode(codes, light)
    np.testing.assert_allclose(light, srgb_to_linear(codes / 255), atol=3e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_of_other_primaries_come_back(dtype):
    profile = parse_icc(samples.rgb_icc(samples.P3_PRIMARIES))
    codes = samples.codes(dtype=dtype)
    light = np.empty(codes.shape, np.float32)
    profile.decode(codes, light)
    back = np.empty_like(codes)
    profile.encode(light, back)
    off = np.abs(back.astype(int) - codes)
    assert off.max() <= (0 if dtype == np.uint8 else 2)  # float32 light of 16 bits


def test_a_matrix_mixes_rows():
    to_srgb = np.array([[0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [0.0, 0.0, 1.0]])
    linear = ParametricCurve(1.0)
    profile = ColourProfile((linear, linear, linear), to_srgb)
    codes = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    light = np.empty(codes.shape, np.float32)
    profile.decode(codes, light)
    np.testing.assert_allclose(light[0], to_srgb.T, atol=1e-7)


@pytest.mark.parametrize("size", [(1, 1), (1, 200_000), (3000, 4000), (7, 65_536)])
def test_bands_cover_every_row_once(size):
    rows = [row for band in row_bands(*size) for row in range(band.start, band.stop)]
    assert rows == list(range(size[0]))
