"""`pellucid attention inspect`: sinks, drained values and outliers of a transformers model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pellucid.cli.console import say

if TYPE_CHECKING:
    from pellucid.attention.diagnostics import Report

ALARM_RAISED = 3

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
"""Named, because Pillow's readers of other formats may start other programs."""


def inspect(
    model: Annotated[str, typer.Argument(help="A local folder or hub id, as transformers takes.")],
    text: Annotated[
        Path | None,
        typer.Option(help="A text file, one sequence a line.", exists=True, dir_okay=False),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A folder of images.", exists=True, file_okay=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for report.json, report.html, PNG figures."),
    ] = None,
    alarm: Annotated[
        list[str] | None,
        typer.Option(help=f"A threshold, as sink=0.3; exit code {ALARM_RAISED} if crossed."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name in the report.")] = None,
    epsilon: Annotated[float, typer.Option(help="Mean attention that makes a key a sink.")] = 0.3,
    batch: Annotated[int, typer.Option(min=1, help="Sequences or images in one pass.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longer sequences are cut.")] = 512,
    attention: Annotated[str, typer.Option(help="transformers' implementation.")] = "sdpa",
) -> None:
    """Measure the attention of a model on text or images, on whichever kernel it runs.

    Alarms: sink, first-sink, first-attention, delta-logit, drain (goes off below its threshold),
    kurtosis, inf-norm, max-activation, massive, gate-low, gate-high, dead-gates.
    """
    from pellucid.attention.diagnostics import InspectionError
    from pellucid.attention.diagnostics.alarms import Alarm, raised_alarms
    from pellucid.attention.diagnostics.table import layer_table, summary_table

    alarms = [Alarm.parse(one) for one in alarm or []]
    if text is not None and images is None:
        report = _inspect_text(model, text, attention, epsilon, batch, max_tokens)
    elif images is not None and text is None:
        report = _inspect_images(model, images, attention, epsilon, batch)
    else:
        raise InspectionError("Give either --text FILE or --images FOLDER.")
    if name is not None:
        report = replace(report, model=name)
    raised = raised_alarms(report, alarms)
    console = Console()
    console.print(summary_table(report))
    console.print(layer_table(report))
    if output is not None:
        _write(report, raised, output)
        say(f"written to {output}")
    for line in raised:
        say(f"alarm: {line}")
    if raised:
        raise typer.Exit(ALARM_RAISED)


def _inspect_text(
    model: str, text: Path, attention: str, epsilon: float, size: int, max_tokens: int
) -> Report:
    from transformers import AutoTokenizer

    from pellucid.attention.retrofit.language import read_text

    lines = [line for line in read_text(text).splitlines() if line.strip()]
    if not lines:
        _fail(f"{text} holds no text.")
    tokenizer = _load(AutoTokenizer, model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token

    def batches() -> Iterator[Mapping[str, Any]]:
        # Sequences of like length share a batch, so that little of it is padding.
        ordered = sorted(lines, key=len)
        for start in range(0, len(ordered), size):
            yield tokenizer(
                ordered[start : start + size],
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=min(max_tokens, tokenizer.model_max_length),
            )

    report = _run(model, attention, epsilon, batches())
    tokens = {token for layer in report.layers for token in layer.sink_tokens}
    names = {token: str(tokenizer.convert_ids_to_tokens(int(token))) for token in sorted(tokens)}
    return replace(report, token_names=names)


def _inspect_images(model: str, folder: Path, attention: str, epsilon: float, size: int) -> Report:
    from PIL import Image
    from transformers import AutoImageProcessor

    Image.init()
    suffixes = {suffix for suffix, kind in Image.EXTENSION.items() if kind in _FORMATS}
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not paths:
        _fail(f"{folder} holds no images.")
    processor = _load(AutoImageProcessor, model, use_fast=False)

    def batches() -> Iterator[Mapping[str, Any]]:
        for start in range(0, len(paths), size):
            pictures = [_open(path) for path in paths[start : start + size]]
            yield processor(images=pictures, return_tensors="pt")

    return _run(model, attention, epsilon, batches())


def _run(name: str, attention: str, epsilon: float, batches: Iterator[Mapping[str, Any]]) -> Report:
    import torch
    from transformers import AutoModel

    from pellucid.attention.diagnostics import Inspector

    model = _load(AutoModel, name, attn_implementation=attention).eval()
    label = Path(name).name if Path(name).exists() else name
    with torch.no_grad(), Inspector(model, epsilon=epsilon, name=label) as inspector:
        for batch in batches:
            model(**batch)
    return inspector.report()


def _load(kind: Any, name: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(name, local_files_only=Path(name).is_dir(), **options)
    except (OSError, ValueError) as error:
        _fail(f"{name} cannot be loaded: {error}")


def _open(path: Path) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=_FORMATS) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        _fail(f"{path} cannot be read: {error}")


def _fail(message: str) -> Any:
    from pellucid.attention.diagnostics import InspectionError

    raise InspectionError(message)


def _write(report: Report, alarms: list[str], folder: Path) -> None:
    from pellucid.attention.diagnostics.drawing import to_png
    from pellucid.attention.diagnostics.maps import report_maps
    from pellucid.attention.diagnostics.page import to_html
    from pellucid.files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder / "report.json")
    write_whole(folder / "report.html", to_html(report, alarms).encode())
    for shown in report_maps(report):
        write_whole(folder / f"{shown.name}.png", to_png(shown))
