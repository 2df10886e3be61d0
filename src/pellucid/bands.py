"""Pictures worked on in bands of rows by a few threads, so that no temporary has a photo's size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

BAND_PIXELS = 1 << 18
"""Pixels of a band: 3 MB of float32 RGB, about what a core's cache holds."""

MOST_THREADS = 8
"""More gain nothing: the bands of eight threads keep a usual computer's memory bus busy."""

T = TypeVar("T")
Range = tuple[int, int]
"""A half-open range of rows."""


def bands(height: int, width: int) -> Iterator[Range]:
    """Cut the rows of a picture into ranges of about `BAND_PIXELS` pixels."""
    step = max(1, BAND_PIXELS // width)
    for start in range(0, height, step):
        yield start, min(start + step, height)


def usable_processors() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def usable_threads() -> int:
    """Return how many threads are worth while: as `usable_processors`, at most `MOST_THREADS`."""
    return min(usable_processors(), MOST_THREADS)


def in_threads(work: Callable[[int, int], T], ranges: Sequence[Range], threads: int) -> list[T]:
    """Return `work(start, stop)` of every range, in order; the calls share `threads` threads.

    The first error of a call is raised here; calls that have not begun are then left out.
    """
    threads = min(threads, len(ranges))
    if threads <= 1:
        return [work(start, stop) for start, stop in ranges]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, *zip(*ranges, strict=True)))
