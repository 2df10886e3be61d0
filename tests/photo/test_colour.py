import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.photo import linear_to_srgb, srgb_to_linear


def test_known_values():
    # IEC 61966-2-1, computed by hand to seven places.
    encoded = [0.0, 0.04045, 0.5, 0.735357, 1.0]
    linear = [0.0, 0.0031308, 0.2140411, 0.5, 1.0]
    np.testing.assert_allclose(srgb_to_linear(encoded), linear, atol=2e-6)
    np.testing.assert_allclose(linear_to_srgb(linear), encoded, atol=2e-6)


def test_both_pieces_of_the_curve_and_where_they_meet():
    encoded = np.concatenate([np.linspace(0, 0.1, 2001), np.linspace(0.1, 1, 901)])
    high = ((encoded + 0.055) / 1.055) ** 2.4
    linear = np.where(encoded <= 0.04045, encoded / 12.92, high)
    np.testing.assert_allclose(srgb_to_linear(encoded), linear, rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(linear_to_srgb(linear), encoded, rtol=2e-6, atol=5e-7)


def test_types_and_shapes():
    assert srgb_to_linear(np.zeros((2, 3), np.float64)).dtype == np.float32
    assert linear_to_srgb(np.zeros((2, 3), np.float64)).shape == (2, 3)


@settings(max_examples=50)
@given(st.floats(-4, 4, width=32))
def test_round_trip_and_mirror(value):
    assert abs(float(linear_to_srgb(srgb_to_linear(value))) - value) < 1e-5
    assert float(srgb_to_linear(-value)) == -float(srgb_to_linear(value))
