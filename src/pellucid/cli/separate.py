"""`pellucid separate`: split photos into what is behind the glass and what is mirrored in it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pellucid.cli.console import report, say
from pellucid.cli.help import SOME_FAILED, USAGE
from pellucid.cli.plan import Device, PlanError, plan
from pellucid.layer_files import Format, Layers

HELP = """Split photos taken through glass into what is behind it and what is mirrored in it.

Writes NAME.transmission.EXT and NAME.reflection.EXT beside each photo NAME.EXT, of its size, \
depth and colour profile.
"""

app = typer.Typer(add_completion=False)


@app.command(help=HELP, no_args_is_help=True)
def separate(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Photos; - is standard input.")
    ],
    transmission: Annotated[
        str | None, typer.Option("-t", "--transmission", help="Words for what is behind the glass.")
    ] = None,
    reflection: Annotated[
        str | None, typer.Option("-r", "--reflection", help="Words for what is mirrored in it.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="Folder for the layers, or a file name for one layer of one photo, or - for "
            "standard output. Default: beside the photo.",
        ),
    ] = None,
    layers: Annotated[
        Layers | None,
        typer.Option(help="Which layers to write. Default: both; one to standard output."),
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            min=-100,
            max=100,
            help="What the transmission file shows: 100 = no reflection, 0 = the photo itself, "
            "-100 = only the reflection.",
        ),
    ] = 100,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="MASK",
            help="Picture of the photo's shape, white where the effect is wanted; elsewhere the "
            "photo stays as it is.",
        ),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="Format to write. Default: the photo's own.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a photo on standard output.")
    ] = False,
    no_gps: Annotated[
        bool, typer.Option("--no-gps", help="Leave the place out of the metadata.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all, 8 at most.")
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where the network runs; cuda needs onnxruntime-gpu.")
    ] = Device.CPU,
) -> None:
    """Plan, load the model once, and work photo by photo."""
    from pellucid.errors import DescriptionError
    from pellucid.text import normalise

    try:
        jobs = plan(photos, output=output, layers=layers, format=format)
        for text in (transmission, reflection):
            normalise(text or "")
        if strength != 100 and "transmission" not in jobs[0].targets:
            raise PlanError("--strength shapes the transmission: leave out --layers reflection")
        if as_json and jobs[0].to_stream:
            raise PlanError("--json and a picture cannot share standard output: name a file by -o")
    except (PlanError, DescriptionError) as error:
        say(f"error: {error}")
        raise typer.Exit(USAGE) from error

    from pellucid.cli.work import Settings, Worker
    from pellucid.separator import Separator

    settings = Settings(transmission, reflection, strength, format, not no_gps, overwrite, region)
    worker = Worker(Separator.load(threads=threads, device=device.value), settings)
    all_fine = True
    with report(len(jobs), quiet=quiet) as tell:
        for job in jobs:
            tell.start(job.source)
            outcome = worker.work(job)
            (tell.done if outcome.ok else tell.failed)(outcome.line)
            if as_json:
                print(json.dumps(outcome.record), flush=True)
            all_fine &= outcome.ok
    if not all_fine:
        raise typer.Exit(SOME_FAILED)
