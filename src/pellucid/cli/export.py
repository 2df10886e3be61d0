"""`pellucid export`: trained weights become the files that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(help="Weights from training, .safetensors.")],
    output: Annotated[Path, typer.Argument(help="Folder for the .onnx, .safetensors and .json.")],
    config: Annotated[
        Path | None, typer.Option(help="The run's TOML; without it the lite network is assumed.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model, and of its files.")] = "lite",
) -> None:
    """Round weights to half precision and write them as ONNX and safetensors, with a manifest."""
    from pellucid.network.export import ship
    from pellucid.network.separation import NetworkConfig
    from pellucid.network.weights import load_weights
    from pellucid.training.config import read_training_config

    network = read_training_config(config).network if config else NetworkConfig.lite()
    output.mkdir(parents=True, exist_ok=True)
    ship(load_weights(weights), network, output, name)
    typer.echo(f"{output / name}.onnx")
