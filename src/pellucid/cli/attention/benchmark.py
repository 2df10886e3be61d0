"""`pellucid attention benchmark`: gated attention layers against plain attention."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    from pellucid.attention.benchmark import Row


def benchmark(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The JSON file to write.", dir_okay=False)
    ] = Path("attention-benchmark.json"),
    batch: Annotated[int, typer.Option(min=1, help="Sequences.")] = 8,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens in each sequence.")] = 1024,
    dim: Annotated[int, typer.Option(min=1, help="Width of a token.")] = 768,
    heads: Annotated[int, typer.Option(min=1, help="Heads.")] = 12,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each row is run.")] = 15,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads on the CPU.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
) -> None:
    """Time gated attention layers, forward and backward, against a plain one in the same run.

    Gated layers of x-transformers are measured too if that package is installed. Run it on a
    machine that does nothing else; the result says how busy the machine was.
    """
    # torch.profiler, which measures memory, otherwise writes its own lines to the terminal.
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")
    from pellucid.attention.benchmark import BenchmarkConfig, run_benchmark, write_result

    config = BenchmarkConfig(batch, tokens, dim, heads, repetitions, threads, device, dtype)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("repetitions", total=repetitions)
        rows = run_benchmark(config, lambda done, _: bar.update(task, completed=done))
    write_result(config, rows, output)
    Console().print(_table(rows))
    typer.echo(f"Written to {output}.")


def _table(rows: list[Row]) -> Table:
    table = Table("layer", "seconds", "× plain", "quartiles", "peak MiB", "× plain")
    for row in rows:
        low, high = row.ratio_quartiles
        memory = ("–", "–")
        if row.peak_bytes is not None and row.peak_ratio is not None:
            memory = (f"{row.peak_bytes / 2**20:.1f}", f"{row.peak_ratio:.3f}")
        times = (f"{row.seconds:.4f}", f"{row.ratio:.3f}", f"{low:.3f} to {high:.3f}")
        table.add_row(row.name, *times, *memory)
    return table
