"""`pellucid attention quantise`: what few bits cost a language model, and which modules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pellucid.cli.console import say


def quantise(
    model: Annotated[str, typer.Argument(help="A local folder or hub id, as transformers takes.")],
    text: Annotated[
        Path,
        typer.Option(help="Text; for a model without a head one sequence a line.", dir_okay=False),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for report.json.")
    ] = None,
    bits: Annotated[
        list[str] | None,
        typer.Option(help="As W8A8, W4A8-channel, W4A4-channel-mse; may be repeated."),
    ] = None,
    gates: Annotated[
        Path | None,
        typer.Option(help="Gates of `retrofit` to put on first; they stay in full precision."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the report.")] = None,
    calibration: Annotated[int, typer.Option(min=1, help="Batches to calibrate on.")] = 16,
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Calibrations, each on others.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Sequences in a batch.")] = 8,
    length: Annotated[int, typer.Option(min=4, help="Tokens of a sequence.")] = 128,
) -> None:
    """Simulate post-training quantisation and compare with full precision.

    The last third of the text, at most 64 sequences, is measured on; batches of the rest calibrate.
    Without --bits: W8A8, W4A8, W4A4.
    """
    from pellucid.attention.quantisation import QuantisationConfig, study
    from pellucid.attention.quantisation.table import part_table, scheme_table, site_table
    from pellucid.attention.quantisation.texts import text_batches
    from pellucid.attention.retrofit import load_retrofit
    from pellucid.attention.retrofit.language import load_language_model

    configs = [QuantisationConfig.of(one) for one in bits or ("W8A8", "W4A8", "W4A4")]
    language = load_language_model(model)
    pool, held_out = text_batches(language, text, size=batch, length=length)
    if gates is not None:
        load_retrofit(language.model, gates)
    label = name or (Path(model).name if Path(model).exists() else model)
    report = study(
        language.model,
        pool,
        held_out,
        configs,
        calibration=calibration,
        seeds=seeds,
        name=label,
    )
    console = Console()
    console.print(scheme_table(report), part_table(report))
    for scheme in report.schemes:
        console.print(site_table(report, scheme))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        report.save(output / "report.json")
        say(f"written to {output}")
