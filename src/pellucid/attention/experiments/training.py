"""One run of Bigram-Backcopy: train a decoder, measure it on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from pellucid.attention.experiments.backcopy import BackcopyTask, Batch, sonnet_task
from pellucid.attention.experiments.interventions import intervene
from pellucid.attention.experiments.probe import Figures, measure
from pellucid.attention.experiments.runs import Run
from pellucid.attention.experiments.transformer import Transformer, TransformerConfig, build
from pellucid.errors import ConfigError, DataError

_HELD_OUT_SEED = 1_000_003
# Steps whose sequences are drawn at once, which is much faster than one by one.
_DRAWN = 50
_LONG_STEPS, _LONG_POINTS = 1200, 24


@dataclass(frozen=True)
class BackcopyConfig:
    """One run.

    Attributes:
        method: of `METHODS`.
        seed: of the weights and the data.
        intervention: of `INTERVENTIONS`.
        dim: width; there is one layer with one head.
        length: inputs of a sequence, <s> included.
        batch: sequences a step.
        steps: optimiser steps.
        learning_rate: of AdamW with β = (.9, .99).
        weight_decay: of AdamW.
        points: how often to measure, after the start.
        held_out: sequences to measure on.

    Raises:
        ConfigError: a number is out of range.

    """

    method: str
    seed: int
    intervention: str = "none"
    dim: int = 64
    length: int = 128
    batch: int = 8
    steps: int = 480
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    points: int = 16
    held_out: int = 24

    def __post_init__(self) -> None:
        if min(self.dim, self.batch, self.steps, self.held_out) < 1 or self.length < 4:
            raise ConfigError("Sizes must be at least 1, and length at least 4.")
        if not 1 <= self.points <= self.steps:
            raise ConfigError(f"points must be between 1 and steps; got {self.points}.")


def backcopy_run(group: str, seed: int, quick: bool) -> Run:
    """Train one decoder and measure it; its group is "method" or "method+intervention"."""
    return _run(group, _config(group, seed), quick)


def long_run(group: str, seed: int, quick: bool) -> Run:
    """Do the same with more steps."""
    config = replace(_config(group, seed), steps=_LONG_STEPS, points=_LONG_POINTS)
    return _run(group, config, quick)


def _config(group: str, seed: int) -> BackcopyConfig:
    method, _, intervention = group.partition("+")
    return BackcopyConfig(method, seed, intervention or "none")


def _run(group: str, config: BackcopyConfig, quick: bool) -> Run:
    if quick:
        config = replace(config, length=32, batch=4, steps=4, points=2, held_out=8)
    _, points = train(config)
    return Run(group, config.seed, asdict(config), points)


def train(
    config: BackcopyConfig, on_point: Callable[[int], None] | None = None
) -> tuple[Transformer, list[Figures]]:
    """Train one decoder.

    Args:
        config: the run.
        on_point: is told each step that is measured.

    Returns:
        The decoder, and the figures of `probe.DEFINITIONS` with their `step`.

    Raises:
        ConfigError: an unknown method or intervention.
        DataError: the loss is no longer a number.

    """
    task = sonnet_task()
    model = build(
        TransformerConfig(task.vocabulary, config.length, config.dim, method=config.method),
        config.seed,
    )
    layer = model.attention()
    intervene(layer, config.intervention)
    optimiser = optimiser_of(model, config)
    held_out = task.sample(config.held_out, config.length, _HELD_OUT_SEED, 0)
    measured = {round(i * config.steps / config.points) for i in range(config.points + 1)}
    points = []
    for step, batch in enumerate(training_batches(task, config)):
        if step in measured:
            points.append({"step": step, **measure(model, layer, task, held_out)})
            if on_point is not None:
                on_point(step)
        if step == config.steps:
            break
        loss = F.cross_entropy(model(batch.inputs).flatten(0, 1), batch.targets.flatten())
        if not torch.isfinite(loss):
            raise DataError(
                f"{config.method}: the loss is {loss.item()} at step {step}: lower the learning "
                "rate."
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model, points


def optimiser_of(model: nn.Module, config: BackcopyConfig) -> torch.optim.AdamW:
    """Make the optimiser of a run."""
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
    )


def training_batches(task: BackcopyTask, config: BackcopyConfig) -> Iterator[Batch]:
    """Yield the training data of a seed, the same for every method, without end."""
    step = 0
    while True:
        drawn = task.sample(_DRAWN * config.batch, config.length, config.seed, step)
        yield from map(Batch, drawn.tokens.split(config.batch))
        step += _DRAWN
