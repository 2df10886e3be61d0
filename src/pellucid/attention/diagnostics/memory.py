"""How much memory an inspection takes, by number of tokens.

    python -m pellucid.attention.diagnostics.memory table.json 2048 4096 8192 16384

Each length runs in a process of its own, on one thread; what is measured is the largest resident
memory of that process above what it held before its first forward pass.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LENGTHS = (2048, 4096, 8192, 16384)
LAYERS, DIM, HEADS = 2, 256, 4


@dataclass(frozen=True)
class MemoryRow:
    """One length.

    Attributes:
        tokens: in the one sequence.
        seconds: of the inspected forward pass.
        mebibytes: peak above the start.
        map_mebibytes: what one layer's float32 attention maps would take.

    """

    tokens: int
    seconds: float
    mebibytes: float
    map_mebibytes: float


def measure_length(tokens: int) -> MemoryRow:
    """Inspect a stack of causal layers once; meant for a fresh process."""
    import torch
    from torch import nn

    from pellucid.attention import Attention, AttentionConfig
    from pellucid.attention.diagnostics.inspector import inspect

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(*(Attention(AttentionConfig(DIM, HEADS)) for _ in range(LAYERS)))
    # Everything that is loaded on first use is loaded before the start.
    inspect(model, torch.randn(1, 64, DIM))
    before, begin = _peak(), time.perf_counter()
    inspect(model, torch.randn(1, tokens, DIM))
    seconds, peak = time.perf_counter() - begin, _peak() - before
    return MemoryRow(tokens, seconds, peak, HEADS * tokens**2 * 4 / 2**20)


def measure_table(lengths: tuple[int, ...]) -> list[MemoryRow]:
    """Measure each length in a fresh process."""
    rows = []
    for tokens in lengths:
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(tokens)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append(MemoryRow(**json.loads(output)))
    return rows


def _peak() -> float:
    """Return the process's largest resident memory in MiB (Linux counts KiB, macOS bytes)."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(arguments: list[str]) -> None:
    """Measure one length to standard output, or several into a file."""
    if len(arguments) == 1 and arguments[0].isdecimal():
        print(json.dumps(asdict(measure_length(int(arguments[0])))))
        return
    from pellucid.files import write_whole

    rows = measure_table(tuple(map(int, arguments[1:])) or LENGTHS)
    setting = {"layers": LAYERS, "dim": DIM, "heads": HEADS, "dtype": "float32", "device": "cpu"}
    record = {"setting": setting, "rows": [asdict(row) for row in rows]}
    write_whole(Path(arguments[0]), (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1:])
