"""Small language models on text: perplexity, extreme tokens, and what 8 and 4 bits cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor, nn

from pellucid.attention.experiments.extremes import extremes
from pellucid.attention.experiments.objectives import Example, loss, objective
from pellucid.attention.experiments.runs import Run
from pellucid.attention.experiments.source_text import (
    VOCABULARY,
    even_blocks,
    source_text,
    training_blocks,
)
from pellucid.attention.experiments.transformer import (
    Style,
    Transformer,
    TransformerConfig,
    build,
)
from pellucid.attention.quantisation import QuantisationConfig, quantise
from pellucid.errors import DataError

Blocks = Int[Tensor, "blocks tokens"]

# The papers have the first two; four bits for activations ask more of extremes.
BITS = ("W8A8", "W4A8", "W8A4")
_HELD_OUT_SEED = 1_000_003
_BATCH = 32  # of evaluation


@dataclass(frozen=True)
class LanguageConfig:
    """One run.

    Attributes:
        method: of `METHODS`.
        seed: of the weights, the order of the text and what is hidden.
        objective: of `OBJECTIVES`.
        dim: width.
        heads: heads a layer.
        layers: blocks.
        style: of `TransformerConfig`.
        length: inputs of a sequence, <s> or [CLS] included.
        batch: sequences a step.
        steps: optimiser steps.
        learning_rate: of AdamW with β = (.9, .95), after a linear warm-up.
        warmup: steps of it.
        weight_decay: of AdamW, on matrices.
        largest_gradient: norm that a step's gradient is cut to.
        points: how often to measure, after the start.
        held_out: sequences to measure on.
        calibrations: how often activations' ranges are found, each time on other text.
        calibration_batches: batches for each of them.

    """

    method: str
    seed: int
    objective: str = "next"
    dim: int = 64
    heads: int = 1
    layers: int = 2
    style: Style = "llama"
    length: int = 64
    batch: int = 8
    steps: int = 480
    learning_rate: float = 1e-2
    warmup: int = 50
    weight_decay: float = 0.1
    largest_gradient: float = 1.0
    points: int = 6
    held_out: int = 64
    calibrations: int = 3
    calibration_batches: int = 16


def next_run(group: str, seed: int, quick: bool) -> Run:
    """Train one decoder and measure it."""
    return _run(LanguageConfig(group, seed), quick)


def masked_run(group: str, seed: int, quick: bool) -> Run:
    """Train one masked encoder and measure it."""
    # Fewer answers a step; at the decoder's rate nothing beyond frequencies is learnt.
    config = LanguageConfig(group, seed, "masked", learning_rate=5e-3, steps=640)
    return _run(config, quick)


def _run(config: LanguageConfig, quick: bool) -> Run:
    if quick:
        config = replace(config, dim=16, layers=2, length=24, batch=2, steps=2, points=1)
        config = replace(config, held_out=4, calibrations=1, calibration_batches=2)
    text = source_text()
    model, points = train(config)
    points[-1] |= quantised(model, config)
    about = {"python": text.python, "text_sha256": text.sha256}
    return Run(config.method, config.seed, asdict(config) | about, points)


def train(config: LanguageConfig) -> tuple[Transformer, list[dict[str, float]]]:
    """Train a model; the points have the held-out loss, the perplexity and all of `extremes`.

    Raises:
        ConfigError: an unknown method or objective.
        DataError: the loss is no longer a number.

    """
    asking = objective(config.objective)
    model, held_out = _build(config, asking.causal), held_out_examples(config)
    optimiser = _optimiser(model, config)
    measured = {round(i * config.steps / config.points) for i in range(config.points + 1)}
    blocks = training_blocks(source_text().tokens, config.batch, config.length, config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    points = [_point(model, held_out, 0)]
    for step, block in zip(range(1, config.steps + 1), blocks, strict=False):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * min(1.0, step / config.warmup)
        error = loss(model, asking.ask(block, VOCABULARY, generator))
        if not torch.isfinite(error):
            raise DataError(f"{config.method}: the loss is {error.item()} at step {step}.")
        optimiser.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.largest_gradient)
        optimiser.step()
        if step in measured:
            points.append(_point(model, held_out, step))
    return model.eval(), points


def _build(config: LanguageConfig, causal: bool) -> Transformer:
    sizes = TransformerConfig(
        vocabulary=VOCABULARY,
        length=config.length,
        dim=config.dim,
        heads=config.heads,
        layers=config.layers,
        method=config.method,
        causal=causal,
        style=config.style,
    )
    return build(sizes, config.seed)


def _optimiser(model: nn.Module, config: LanguageConfig) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)


def held_out_examples(config: LanguageConfig) -> list[Example]:
    """Return the batches to measure on, the same for every run of these sizes."""
    generator = torch.Generator().manual_seed(_HELD_OUT_SEED)
    ask = objective(config.objective).ask
    blocks = even_blocks(source_text().held_out, config.held_out, config.length)
    return [ask(block, VOCABULARY, generator) for block in blocks.split(_BATCH)]


def _point(model: Transformer, held_out: Sequence[Example], step: int) -> dict[str, float]:
    return {"step": step} | likelihood(model, held_out) | extremes(model, held_out)


@torch.no_grad()
def likelihood(model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    """Return the mean loss of the tokens asked for, and their perplexity."""
    counts = [int(example.asked.sum()) for example in examples]
    losses = [float(loss(model, example)) for example in examples]
    mean = sum(one * count for one, count in zip(losses, counts, strict=True)) / sum(counts)
    return {"loss": mean, "perplexity": math.exp(mean)}


def quantised(model: nn.Module, config: LanguageConfig) -> dict[str, float]:
    """Return the perplexity in few bits, mean over calibrations; the head keeps full precision."""
    held_out, figures = held_out_examples(config), {}
    for bits in BITS:
        scheme = replace(QuantisationConfig.of(bits), exclude=("head",))
        perplexities = []
        for calibration in range(config.calibrations):
            with quantise(model, _calibration_batches(config, calibration), scheme):
                perplexities.append(likelihood(model, held_out)["perplexity"])
        figures[bits] = sum(perplexities) / len(perplexities)
    return figures


def _calibration_batches(config: LanguageConfig, seed: int) -> list[Tensor]:
    blocks = training_blocks(source_text().tokens, config.batch, config.length, 1_000 + seed)
    generator = torch.Generator().manual_seed(1_000 + seed)
    ask = objective(config.objective).ask
    return [
        ask(next(blocks), VOCABULARY, generator).inputs for _ in range(config.calibration_batches)
    ]
