"""`pellucid evaluate`: score the model and its yardsticks, run its checks, write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.console import progress, say

if TYPE_CHECKING:
    from pellucid.evaluation.methods import Method
    from pellucid.evaluation.tables import TextTable

app = typer.Typer(add_completion=False)

_TABLE_WIDTH = 170


@app.command()
def evaluate(
    source: Annotated[
        Path | None,
        typer.Argument(help="A pairs.jsonl, or a folder in the layout of one of the field's sets."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the results; with --report, the file."),
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            help="Words the model is given, with commas: none, right, transmission, reflection, "
            "swapped, wrong. Default: all."
        ),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="What to score, with commas: pellucid, untouched, colour-oracle, yang2019, peer. "
            "Default: all."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The set's name in results. Default: the folder's.")
    ] = None,
    peer_name: Annotated[
        str, typer.Option(help="The name of the peer whose outputs pairs.jsonl gives.")
    ] = "peer",
    weights: Annotated[
        Path | None, typer.Option(help="Another ONNX file than the shipped model.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of wrong words, mixtures and intervals.")
    ] = 0,
    checks: Annotated[
        Path | None,
        typer.Option(help="Instead: check the model on mixtures of this folder's photos."),
    ] = None,
    mixtures: Annotated[
        int, typer.Option(min=1, help="With --checks: mixtures of each kind.")
    ] = 200,
    report: Annotated[
        Path | None, typer.Option(help="Instead: write a report of this folder's result files.")
    ] = None,
) -> None:
    """Score the separation of photos whose true layers are known.

    One of SOURCE, --checks and --report says what to do.
    """
    if sum(given is not None for given in (source, checks, report)) != 1:
        raise typer.BadParameter("give one of SOURCE, --checks FOLDER and --report FOLDER")
    if source is not None:
        _evaluate_set(source, output or Path("out"), methods, modes, name, peer_name, weights, seed)
    elif checks is not None:
        _check(checks, output or Path("out"), weights, mixtures, seed)
    elif report is not None:
        from pellucid.evaluation.report import write_report

        write_report(report, output or Path("docs/results.md"))


def _evaluate_set(
    source: Path,
    output: Path,
    methods: str | None,
    modes: str | None,
    name: str | None,
    peer_name: str,
    weights: Path | None,
    seed: int,
) -> None:
    from pellucid.evaluation.layouts import read_pairs
    from pellucid.evaluation.modes import parse_modes
    from pellucid.evaluation.protocol import Protocol
    from pellucid.evaluation.study import (
        applicable_methods,
        applicable_modes,
        choose_contenders,
        evaluate_set,
        perceptual_measure,
    )
    from pellucid.evaluation.tables import summary_table

    pairs = read_pairs(source)
    contenders = choose_contenders(
        pairs,
        applicable_methods(pairs) if methods is None else methods.split(","),
        applicable_modes(pairs) if modes is None else parse_modes(modes.split(",")),
        lambda: _load_model(weights),
        peer_name=peer_name,
        seed=seed,
    )
    folder = source if source.is_dir() else source.parent
    protocol = Protocol(seed=seed)
    further = perceptual_measure()
    if not further:
        say("the perceptual distance is left out: it needs `pip install 'pellucid[train]'`")
    with progress(len(pairs)) as advance:
        summary = evaluate_set(
            name or folder.resolve().name, pairs, contenders, output, protocol, further, advance
        )
    title = f"{summary.set_name}, {summary.images} photos"
    _print_table(title, summary_table(summary, intervals=False), summary.protocol)


def _check(photos: Path, output: Path, weights: Path | None, mixtures: int, seed: int) -> None:
    from pellucid.evaluation.checks import CheckPlan, count_mixtures, run_checks, write_checks
    from pellucid.evaluation.mixtures import read_validation_photos
    from pellucid.evaluation.tables import checks_table

    validation = read_validation_photos(photos)
    plan = CheckPlan(mixtures, seed)
    method = _load_model(weights)
    with progress(count_mixtures(validation, plan)) as advance:
        checks = run_checks(method, validation, plan, advance)
    write_checks(output / "checks.json", checks, plan)
    _print_table("Checks on mixtures of validation photos", checks_table(checks))


def _load_model(weights: Path | None) -> Method:
    from pellucid.evaluation.methods import separator_method
    from pellucid.separator import Separator

    return separator_method(Separator.load(weights))


def _print_table(title: str, table: TextTable, note: str | None = None) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pellucid.untrusted import printable

    def plain(text: str) -> str:
        return escape(printable(text))

    shown = Table(*table.titles, title=plain(title), caption=note and plain(note), box=box.SIMPLE)
    for row in table.rows:
        shown.add_row(*map(plain, row))
    # A figure cut short would be a wrong one: rather let a narrow terminal wrap the lines.
    Console(width=max(Console().width, _TABLE_WIDTH)).print(shown)
