"""`pellucid train CONFIG.toml`: train a separator, or go on where the last run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="TOML file with the run's configuration.")],
    steps: Annotated[
        int | None, typer.Option(help="Train up to this step, whatever the file says.")
    ] = None,
) -> None:
    """Train a separator on mixtures made from a folder of captioned photos.

    Writes checkpoints, metrics.jsonl and an image sheet into the folder that the file names. Run it
    again and it resumes to the bit. Several processes: torchrun --nproc-per-node N -m pellucid
    train CONFIG.toml.
    """
    import dataclasses

    from pellucid.training.config import read_training_config
    from pellucid.training.processes import processes
    from pellucid.training.trainer import Trainer

    told = read_training_config(config)
    if steps is not None:
        told = dataclasses.replace(told, steps=steps)
    with processes():
        progress = Trainer(told).run()
    typer.echo(f"{told.folder}: step {progress.step}, best {progress.best:.2f} dB")
