"""Run a command and tell what it took, from its start to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pellucid.errors import BenchmarkError


@dataclass(frozen=True)
class Finished:
    """A command that ran to its end.

    Attributes:
        code: 0 if it succeeded.
        seconds: by the clock.
        cpu_seconds: of all its threads.
        peak_mb: most memory it held at once, in millions of bytes.
        output, complaints: what it printed, and what on standard error.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str
    complaints: str = ""


def run(command: Sequence[str]) -> Finished:
    """Run a command in a process of its own and measure it.

    Linux counts the memory of the process that starts another as the other's, up to then: so a
    small one stands between.

    Raises:
        BenchmarkError: it failed, or the system does not tell a process's peak memory.
    """
    if not hasattr(os, "wait4"):
        raise BenchmarkError("this system does not tell what a process took: use Linux or macOS")
    between = [sys.executable, "-m", "pellucid.benchmark.process", *command]
    answer = subprocess.run(between, check=True, stdout=subprocess.PIPE, text=True)
    finished = Finished(**json.loads(answer.stdout))
    if finished.code:
        *_, reason = ["no reason given", *finished.complaints.splitlines()]
        raise BenchmarkError(f"{' '.join(command[1:4])} … failed: {reason}")
    return finished


def measure_here(command: Sequence[str]) -> Finished:
    """Run a command as a child of this process and measure it, whatever its exit code."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=complaints)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaints.seek(0)
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
        return Finished(
            process.returncode,
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * unit / 1e6,
            output.read(),
            complaints.read(),
        )


if __name__ == "__main__":
    print(json.dumps(asdict(measure_here(sys.argv[1:]))))
