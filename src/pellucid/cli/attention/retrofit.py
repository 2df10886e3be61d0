"""`pellucid attention retrofit`: put gates on a language model, and train them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli.console import say
from pellucid.errors import ConfigError

if TYPE_CHECKING:
    from pellucid.attention.retrofit import Retrofit
    from pellucid.attention.retrofit.finetune import Outcome, Recipe
    from pellucid.attention.retrofit.language import LanguageModel


def retrofit(
    model: Annotated[str, typer.Argument(help="Folder of a transformers model, or its hub name.")],
    gate: Annotated[
        str, typer.Option(help="Preset of the gate, changed to start as the identity.")
    ] = "vga-key",
    text: Annotated[
        list[Path] | None, typer.Option(help="UTF-8 text to train on; without it nothing is.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New folder for the results.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 200,
    batch: Annotated[int, typer.Option(min=1, help="Blocks of text per step.")] = 8,
    length: Annotated[int, typer.Option(min=4, help="Tokens per block.")] = 128,
    lr: Annotated[
        float, typer.Option(min=0, help="Learning rate of the model; 0: only gates are trained.")
    ] = 1e-5,
    gate_lr: Annotated[float, typer.Option(min=0, help="Learning rate of the gates.")] = 1e-2,
    drain: Annotated[
        float, typer.Option(min=0, help="Penalty on a first token without a value.")
    ] = 0.1,
    sink: Annotated[
        float, typer.Option(min=0, help="Penalty on attention to the first token (slower).")
    ] = 0.0,
    ffn: Annotated[float, typer.Option(min=0, help="Penalty on feed-forward outputs.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of the order of the text.")] = 0,
) -> None:
    """Put gates on a language model, check that it computes the same, and train the gates.

    The folder gets gates.safetensors, report.json and, if the model was trained too, the model.
    """
    from pellucid.attention.retrofit import retrofit as put_gates
    from pellucid.attention.retrofit.finetune import Recipe, fine_tune
    from pellucid.attention.retrofit.language import hold_out, load_language_model, read_blocks

    if output is not None and output.exists():
        raise ConfigError(f"{output} exists: name a new folder.")
    recipe = Recipe(steps, batch, lr or None, gate_lr, drain=drain, sink=sink, ffn=ffn, seed=seed)
    language = load_language_model(model)
    blocks = None if not text else hold_out(read_blocks(language.tokenizer, text, length))
    objective = language.objective()
    handle = put_gates(language.model, gate)
    for line in handle.summary().splitlines():
        say(line)
    outcome = None
    if blocks is not None:
        every = max(1, steps // 10)
        outcome = fine_tune(
            handle,
            *blocks,
            objective,
            recipe,
            on_step=lambda step, loss: (
                say(f"step {step}: loss {loss:.4f}") if step % every == 0 else None
            ),
        )
    report = _report(language, handle, recipe, outcome)
    if output is not None:
        _write(output, language, handle, report, trained=bool(outcome and lr))
    typer.echo(_table(outcome) if outcome else f"parity: {handle.parity}")


def _report(
    language: LanguageModel, handle: Retrofit, recipe: Recipe, outcome: Outcome | None
) -> dict[str, Any]:
    from dataclasses import asdict

    report: dict[str, Any] = {
        "format": 1,
        "model": type(language.model).__name__,
        "task": language.task,
        "spec": asdict(handle.spec),
        "layers": list(handle.gates),
        "left_out": handle.left_out,
        "why_not_exact": handle.why_not_exact,
        "parity": asdict(handle.parity) if handle.parity else None,
    }
    if outcome is not None:
        report["recipe"] = asdict(recipe)
        report["before"], report["after"] = dict(outcome.before), dict(outcome.after)
        report["losses"] = outcome.losses
    return report


def _table(outcome: Outcome) -> str:
    lines = [f"{'held-out text':24}{'before':>12}{'after':>12}"]
    lines += [
        f"{name:24}{outcome.before[name]:12.4f}{outcome.after[name]:12.4f}"
        for name in outcome.before
    ]
    return "\n".join(lines)


def _write(
    output: Path,
    language: LanguageModel,
    handle: Retrofit,
    report: dict[str, Any],
    *,
    trained: bool,
) -> None:
    """Write everything to a folder that appears only once it is complete; this undoes the gates."""
    from pellucid.attention.retrofit import save_retrofit

    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        save_retrofit(handle, part / "gates.safetensors")
        (part / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        if trained:
            handle.undo()
            language.model.save_pretrained(part / "model")
            language.tokenizer.save_pretrained(part / "model")
        part.replace(output)
    finally:
        shutil.rmtree(part, ignore_errors=True)
