import os
import sys

import pytest

from pellucid.benchmark.process import run
from pellucid.errors import BenchmarkError


def python(program):
    return [sys.executable, "-S", "-c", program]


def test_time_memory_and_output():
    held = run(python("import time; held = b'1' * 150_000_000; time.sleep(.2); print('done')"))
    bare = run(python("print('done')"))
    assert held.output == "done\n"
    assert held.seconds > 0.2
    assert held.peak_mb - bare.peak_mb > 100
    assert 0 < bare.cpu_seconds < 5


def test_the_processor_counts_apart_from_the_clock():
    assert run(python("import time; time.sleep(.3)")).cpu_seconds < 0.3


def test_a_failure_gives_its_last_line():
    with pytest.raises(BenchmarkError, match=r"failed: ValueError: too bad"):
        run(python("raise ValueError('too bad')"))
    with pytest.raises(BenchmarkError, match="no reason given"):
        run(python("raise SystemExit(3)"))


def test_a_system_that_does_not_tell(monkeypatch):
    monkeypatch.delattr(os, "wait4")
    with pytest.raises(BenchmarkError, match="Linux or macOS"):
        run(python(""))
