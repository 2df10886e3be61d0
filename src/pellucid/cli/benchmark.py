"""`pellucid benchmark`: time and memory of separations on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pellucid.benchmark.result import Speed

app = typer.Typer(add_completion=False)


@app.command()
def benchmark(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The result file.", dir_okay=False)
    ] = Path("speed.json"),
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Photos, in millions of pixels, with commas. Default: 0.05,0.1,0.25,1,4,12,24,48."
        ),
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of which the median counts.")] = 3,
    weights: Annotated[
        Path | None,
        typer.Option(help="Another ONNX file than the shipped model; measured warm only."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all, 8 at most.")
    ] = None,
) -> None:
    """Measure whole separations, from a JPEG file to those of its layers, cold and warm.

    Cold is a new process, warm a process that has separated a photo before; with words for both
    layers. The photos are drawn. Run it on a machine that does nothing else: the result says how
    busy it was before. A graphics processor is measured too if onnxruntime can use one.
    """
    from pellucid.benchmark.machine import describe_machine
    from pellucid.benchmark.measure import SIZES, Plan, measure
    from pellucid.benchmark.result import Speed, write_speed
    from pellucid.cli.console import progress
    from pellucid.model import SeparationModel, usable_devices

    machine = describe_machine()
    weights_id = SeparationModel.load(weights, threads=1).info.weights_id
    wanted = SIZES if sizes is None else _numbers(sizes)
    plan = Plan(wanted, usable_devices(), repetitions, weights, threads)
    with progress(len(plan.sizes) * len(plan.devices)) as advance:
        speed = Speed(weights_id, repetitions, machine, measure(plan, advance))
    write_speed(output, speed)
    _print(speed)
    typer.echo(f"Written to {output}.")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter("--sizes takes numbers with commas, such as 1,12") from error
    if not all(0 < number <= 200 for number in numbers):
        raise typer.BadParameter("--sizes go from above 0 to 200 million pixels")
    return numbers


def _print(speed: Speed) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from pellucid.benchmark.result import TITLES, cells, machine_line

    table = Table(*TITLES, caption=machine_line(speed.machine), box=box.SIMPLE)
    for row in speed.rows:
        table.add_row(*cells(row))
    Console().print(table)
