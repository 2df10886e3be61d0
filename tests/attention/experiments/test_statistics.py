from __future__ import annotations

import math

import pytest

from pellucid.attention.experiments.statistics import decimals, interval


def test_the_interval_of_three_values():
    found = interval([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half_width == pytest.approx(4.303 / math.sqrt(3))
    assert found.run_half_width == pytest.approx(4.303 * math.sqrt(1 + 1 / 3))
    assert str(found) == "2.0 ± 2.5"


def test_few_values():
    assert str(interval([])) == "–"
    assert str(interval([math.nan])) == "–"
    assert str(interval([0.5, math.nan])) == "0.50"
    assert str(interval([0.25, 0.25])) == "0.25 ± 0.00"
    assert str(interval([-1e-6, -2e-6])) == "0.0000 ± 0.0000"


@pytest.mark.parametrize(
    ("mean", "half_width", "expected"),
    [(5.0, 0.012, 3), (5.0, 1.2, 1), (500.0, 42.0, 0), (5.0, 1e-9, 4), (0.0, 0.0, 2)],
)
def test_decimals_say_what_is_known(mean, half_width, expected):
    assert decimals(mean, half_width) == expected
