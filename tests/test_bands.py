import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.bands import MOST_THREADS, bands, in_threads, usable_threads


@settings(max_examples=30)
@given(st.integers(1, 30_000), st.integers(1, 30_000))
def test_bands_cover_every_row_once(height, width):
    covered = [row for start, stop in bands(height, width) for row in range(start, stop)]
    assert covered == list(range(height))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("count", [1, 20])
def test_answers_come_in_order(threads, count):
    ranges = [(i, i + 1) for i in range(count)]
    assert in_threads(lambda start, stop: (start, stop), ranges, threads) == ranges


def test_calls_overlap():
    meeting = threading.Barrier(3, timeout=10)
    in_threads(lambda start, stop: meeting.wait(), [(0, 1)] * 3, threads=3)


def test_one_thread_is_the_callers_own():
    used = in_threads(lambda start, stop: threading.get_ident(), [(0, 1)] * 3, threads=1)
    assert set(used) == {threading.get_ident()}


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_and_the_rest_left_out(threads):
    begun = []

    def work(start, stop):
        begun.append(start)
        raise ValueError("of a band")

    with pytest.raises(ValueError, match="of a band"):
        in_threads(work, [(i, i + 1) for i in range(1000)], threads)
    assert len(begun) < 1000


def test_some_thread_may_be_used():
    assert 1 <= usable_threads() <= MOST_THREADS
