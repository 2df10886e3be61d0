"""`pellucid attention experiment`: the claims about sinks, tried at the scale of a processor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.console import say
from pellucid.errors import ConfigError

RESULTS = Path("results") / "attention" / "experiments"
OUTSIDE = 3


def experiment(
    name: Annotated[
        str,
        typer.Argument(help="backcopy, backcopy-long, mechanism, retrofit, language or masked."),
    ],
    folder: Annotated[
        Path | None,
        typer.Option(help=f"Folder of the run files.  [default: {RESULTS}/…]", file_okay=False),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few steps of each run, to see that it works.")
    ] = False,
    table_only: Annotated[
        bool, typer.Option("--table-only", help="Run nothing: table and figures of what is there.")
    ] = False,
    repeat: Annotated[
        str | None,
        typer.Option(help="Run one again, as vga-key-0, and compare it with the stored runs."),
    ] = None,
) -> None:
    """Run an experiment, or go on with it, and write its table and figures.

    The folder gets a JSONL file for each run, the table NAME.md and SVG figures. A run that has its
    file already is not made again.
    """
    from pellucid.attention.experiments.catalogue import experiment as find
    from pellucid.attention.experiments.experiment import run_missing, summarise

    chosen = find(name)
    if quick and folder is None:
        raise ConfigError("Name a --folder for quick runs: they do not belong to the results.")
    folder = RESULTS / chosen.folder if folder is None else folder
    if repeat is not None:
        _repeat(name, folder, repeat)
        return
    if not table_only:
        run_missing(chosen, folder, quick=quick, on_run=say)
    typer.echo(summarise(chosen, folder))
    say(f"written to {folder}")


def _repeat(name: str, folder: Path, run: str) -> None:
    from pellucid.attention.experiments.catalogue import experiment as find
    from pellucid.attention.experiments.experiment import repeat

    compared = repeat(find(name), folder, run)
    typer.echo(f"{'':28}{'repeated':>12}{'stored':>12}   interval of a run")
    for one in compared:
        mark = "inside" if one.inside else "OUTSIDE"
        numbers = f"{one.repeated:12.4f}{one.stored:12.4f}   {one.low:.4f} to {one.high:.4f}"
        typer.echo(f"{one.figure:28}{numbers}   {mark}")
    outside = sum(not one.inside for one in compared)
    say(f"{len(compared) - outside} of {len(compared)} figures inside the 95 % interval of a run")
    if outside:
        raise typer.Exit(OUTSIDE)
