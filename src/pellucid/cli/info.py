"""`pellucid info`: the shipped model, its licences and where its files are."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def info(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the shipped model, its licences and where its files are."""
    from pellucid import __version__
    from pellucid.model import SeparationModel

    weights = SeparationModel.load(threads=1).info
    facts = {
        "version": __version__,
        "weights_id": weights.weights_id,
        "architecture": weights.architecture,
        "weights": str(weights.path),
        "sha256": weights.sha256,
        "model_card": str(weights.path.with_name("MODEL_CARD.md")),
        "licence": "Apache-2.0",
        "weights_licence": weights.manifest.get("licence", "see the model card"),
        "word_table": "wordllama l2_supercat, 256-d (MIT)",
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):16} {value}")
