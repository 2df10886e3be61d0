"""The commands of `pellucid attention`."""

from __future__ import annotations

import typer

from pellucid.cli.attention.benchmark import benchmark
from pellucid.cli.attention.experiment import experiment
from pellucid.cli.attention.inspect import inspect
from pellucid.cli.attention.quantise import quantise
from pellucid.cli.attention.retrofit import retrofit

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Value-State Gated Attention as a library."
)
app.command()(benchmark)
app.command()(experiment)
app.command()(inspect)
app.command()(retrofit)
app.command()(quantise)


@app.callback()
def _group() -> None:
    """Measure the attention library."""
