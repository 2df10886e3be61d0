"""Fail unless the best of several runs of `pellucid --help` takes less than half a second."""

import subprocess
import sys
import time

LIMIT = 0.5
RUNS = 7


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


best = min(seconds([sys.argv[1], "--help"]) for _ in range(RUNS))
print(f"pellucid --help: {best:.2f} s")
sys.exit(f"more than {LIMIT} s" if best > LIMIT else 0)
