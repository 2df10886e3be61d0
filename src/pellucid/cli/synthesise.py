"""`pellucid synthesise`: write the mixtures that the separator is trained on to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def synthesise(
    photos: Annotated[Path, typer.Argument(help="Folder of photos with captions.jsonl.")],
    output: Annotated[Path, typer.Argument(help="Folder for the triplets and pairs.jsonl.")],
    count: Annotated[int, typer.Option(min=1, help="How many mixtures.")] = 100,
    size: Annotated[int, typer.Option(min=32, help="Side in pixels, a multiple of 32.")] = 224,
    split: Annotated[str, typer.Option(help="Split of captions.jsonl to draw from.")] = "val",
    seed: Annotated[int, typer.Option(help="The same seed gives the same mixtures.")] = 0,
) -> None:
    """Write mixtures, both layers (8-bit PNG) and their descriptions as pairs.jsonl."""
    from pellucid.training.triplets import TripletConfig, write_triplets

    config = TripletConfig(count=count, size=size, split=split, seed=seed)
    listing = write_triplets(photos, output, config)
    typer.echo(f"{listing}: {count} mixtures")
