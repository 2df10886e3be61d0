"""A small decoder on text: perplexity, extreme numbers, and what 8 and 4 bits cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.diagnostics import Inspector
from pellucid.attention.experiments.decoder import DecoderConfig, build
from pellucid.attention.experiments.methods import METHODS
from pellucid.attention.experiments.runs import Run
from pellucid.attention.experiments.source_text import (
    VOCABULARY,
    even_blocks,
    source_text,
    training_blocks,
)
from pellucid.attention.quantisation import QuantisationConfig, quantise
from pellucid.errors import DataError

Blocks = Int[Tensor, "blocks tokens"]

GROUPS = {
    name: METHODS[name].title
    for name in ("vanilla", "off-by-one", "iga-key", "vga-key", "vga-query")
}
BITS = ("W8A8", "W4A8")
_INSPECTED = ("first_attention", "sink_first", "drain_first", "kurtosis", "inf_norm", "massive")


@dataclass(frozen=True)
class LanguageConfig:
    """One run.

    Attributes:
        method: of `METHODS`; one that runs on torch's fused attention.
        seed: of the weights and the order of the text.
        dim: width.
        heads: heads a layer.
        layers: blocks.
        length: inputs of a sequence, <s> included.
        batch: sequences a step.
        steps: optimiser steps.
        learning_rate: of AdamW, after a linear warm-up.
        warmup: steps of it.
        weight_decay: of AdamW.
        points: how often the loss is measured on held-out text.
        held_out: sequences of it.
        calibrations: how often activations' ranges are found, each time on other text.
        calibration_batches: batches for each of them.

    """

    method: str
    seed: int
    dim: int = 128
    heads: int = 4
    layers: int = 2
    length: int = 64
    batch: int = 12
    steps: int = 300
    learning_rate: float = 2e-3
    warmup: int = 50
    weight_decay: float = 0.01
    points: int = 3
    held_out: int = 96
    calibrations: int = 3
    calibration_batches: int = 16


def language_run(group: str, seed: int, quick: bool) -> Run:
    """Train one decoder and measure it."""
    config = LanguageConfig(group, seed)
    if quick:
        config = replace(config, dim=32, length=24, batch=2, steps=2, points=1, held_out=4)
        config = replace(config, calibrations=1, calibration_batches=2)
    text = source_text()
    held_out = even_blocks(text.held_out, config.held_out, config.length)
    model, points = train(config, held_out)
    points[-1] |= inspected(model, held_out) | quantised(model, config, held_out)
    about = {"python": text.python, "text_sha256": text.sha256}
    return Run(group, seed, asdict(config) | about, points)


def train(config: LanguageConfig, held_out: Blocks) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a decoder; the points have the held-out loss and perplexity of a character.

    Raises:
        DataError: the loss is no longer a number.

    """
    sizes = DecoderConfig(
        VOCABULARY, config.length, config.dim, config.heads, config.layers, config.method
    )
    model = build(sizes, config.seed)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    measured = {round(i * config.steps / config.points) for i in range(1, config.points + 1)}
    blocks = training_blocks(source_text().tokens, config.batch, config.length, config.seed)
    points = []
    for step, block in zip(range(1, config.steps + 1), blocks, strict=False):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * min(1.0, step / config.warmup)
        loss = cross_entropy(model, block)
        if not torch.isfinite(loss):
            raise DataError(f"{config.method}: the loss is {loss.item()} at step {step}.")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in measured:
            points.append({"step": step, **held_out_figures(model, held_out)})
    return model.eval(), points


def cross_entropy(model: nn.Module, block: Blocks) -> Tensor:
    """Mean cross-entropy of the next character, in nats."""
    return F.cross_entropy(model(block[:, :-1]).flatten(0, 1), block[:, 1:].flatten())


@torch.no_grad()
def held_out_figures(model: nn.Module, held_out: Blocks) -> dict[str, float]:
    """Return the loss and the perplexity of a character."""
    loss = sum(float(cross_entropy(model, b)) * len(b) for b in held_out.split(32)) / len(held_out)
    return {"loss": loss, "perplexity": math.exp(loss)}


@torch.no_grad()
def inspected(model: nn.Module, held_out: Blocks) -> dict[str, float]:
    """Return the figures of `pellucid.attention.diagnostics` that the papers' tables have."""
    with Inspector(model) as inspector:
        for block in held_out.split(32):
            model(block[:, :-1])
    summary = inspector.report().summary
    return {name: summary[name].mean for name in _INSPECTED}


def quantised(model: nn.Module, config: LanguageConfig, held_out: Blocks) -> dict[str, float]:
    """Return the perplexity in few bits, mean over calibrations; the head keeps full precision."""
    figures = {}
    for bits in BITS:
        scheme = replace(QuantisationConfig.of(bits), exclude=("head",))
        perplexities = []
        for calibration in range(config.calibrations):
            batches = _calibration_batches(config, calibration)
            with quantise(model, batches, scheme):
                perplexities.append(held_out_figures(model, held_out)["perplexity"])
        figures[bits] = sum(perplexities) / len(perplexities)
    return figures


def _calibration_batches(config: LanguageConfig, seed: int) -> Sequence[Blocks]:
    blocks = training_blocks(source_text().tokens, config.batch, config.length, 1_000 + seed)
    return [next(blocks)[:, :-1] for _ in range(config.calibration_batches)]
