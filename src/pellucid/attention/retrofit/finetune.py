"""The recipe for gates that will not move: own learning rate, no decay, penalties, a short run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from pellucid.attention.retrofit.handle import Retrofit
from pellucid.attention.retrofit.measures import Measure, simple_measures
from pellucid.attention.retrofit.objectives import Objective, eager_attention
from pellucid.attention.retrofit.penalties import (
    drain_penalty,
    ffn_output_penalty,
    mean_or_zero,
    sink_penalty,
)
from pellucid.attention.retrofit.recording import Recorder, feed_forward_outputs
from pellucid.errors import ConfigError, DataError

Blocks = Int[Tensor, "blocks tokens"]


@dataclass(frozen=True)
class Recipe:
    """How to train gates and, gently, the model around them.

    Attributes:
        steps: optimiser steps.
        batch: blocks of text per step.
        learning_rate: of the model's own parameters; None: they stay as they are.
        gate_learning_rate: of the gates, far larger, for they start at zero weight.
        weight_decay: of the model's matrices; gates, biases and norms have none.
        drain: factor of `drain_penalty`.
        sink: factor of `sink_penalty`; above 0, training runs on eager attention.
        sink_threshold: attention on the first token that costs nothing.
        ffn: factor of `ffn_output_penalty`.
        clip: largest norm of the gradients of all parameters together.
        seed: of the order of the blocks.

    Raises:
        ConfigError: a number is out of range.

    """

    steps: int = 200
    batch: int = 8
    learning_rate: float | None = 1e-5
    gate_learning_rate: float = 1e-2
    weight_decay: float = 0.01
    drain: float = 0.1
    sink: float = 0.0
    sink_threshold: float = 0.3
    ffn: float = 1e-3
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ConfigError("steps and batch must be at least 1.")
        rates = (self.learning_rate or 0.0, self.gate_learning_rate, self.weight_decay)
        factors = (self.drain, self.sink, self.ffn)
        if any(not (math.isfinite(n) and n >= 0) for n in (*rates, *factors)):
            raise ConfigError("Learning rates, weight decay and penalties must not be negative.")


@dataclass(frozen=True)
class Outcome:
    """What fine-tuning did.

    Attributes:
        before: figures of the held-out text with the gates as they were put on.
        after: the same figures at the end.
        losses: the objective's loss at every step, without penalties.

    """

    before: Mapping[str, float]
    after: Mapping[str, float]
    losses: list[float]


def parameter_groups(
    model: nn.Module,
    handle: Retrofit,
    *,
    learning_rate: float | None = 1e-5,
    gate_learning_rate: float = 1e-2,
    weight_decay: float = 0.01,
) -> list[dict[str, Any]]:
    """Sort a model's trainable parameters for an optimiser: gates, vectors, matrices.

    Gates have their own learning rate and no weight decay, which would pull them to the identity.
    Vectors (biases, norms) have none either, as usual.

    Args:
        model: the retrofitted model, or a larger one around it.
        handle: its retrofit.
        learning_rate: of all but the gates; None: only the gates are returned.
        gate_learning_rate: of the gates.
        weight_decay: of the matrices.

    Returns:
        Groups as torch's optimisers take them, each with a `name`; empty groups are left out.

    Raises:
        ConfigError: the retrofit has been undone, or its gates are not part of the model.

    """
    gates = {id(p) for gate in handle.gates.values() for p in gate.parameters()}
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not gates or not gates <= {id(p) for p in model.parameters()}:
        raise ConfigError("This model does not have the gates of this retrofit.")
    rest = [p for p in trainable if id(p) not in gates]
    groups = [
        _group("gates", [p for p in trainable if id(p) in gates], gate_learning_rate, 0.0),
    ]
    if learning_rate is not None:
        groups.append(_group("vectors", [p for p in rest if p.ndim < 2], learning_rate, 0.0))
        matrices = [p for p in rest if p.ndim >= 2]
        groups.append(_group("matrices", matrices, learning_rate, weight_decay))
    return [group for group in groups if group["params"]]


def fine_tune(
    handle: Retrofit,
    blocks: Blocks,
    held_out: Blocks,
    objective: Objective,
    recipe: Recipe | None = None,
    *,
    measure: Measure = simple_measures,
    on_step: Callable[[int, float], None] | None = None,
) -> Outcome:
    """Train a retrofitted transformers model and measure it before and after.

    The model is trained in place, in evaluation mode: the run is short, and dropout would be noise
    in the distance to a teacher.

    Args:
        handle: the retrofit.
        blocks: token ids to train on.
        held_out: token ids to measure on.
        objective: the loss.
        recipe: how; None: as `Recipe` has it.
        measure: the figures for before and after.
        on_step: is told the step, from 1, and its loss.

    Raises:
        ConfigError: a penalty needs something that this model does not show.
        DataError: there is no text, or the loss is no longer a number.

    """
    recipe = Recipe() if recipe is None else recipe
    model = handle.model
    if not len(blocks) or not len(held_out):
        raise DataError("There is no text to train on, or none held out to measure on.")
    if recipe.ffn and not feed_forward_outputs(handle):
        raise ConfigError(f"No feed-forward blocks found in {type(model).__name__}: use ffn=0.")
    held_out_batches = list(held_out.split(recipe.batch))
    before = measure(handle, objective, held_out_batches)
    losses = []
    for step, loss in enumerate(_train(handle, blocks, objective, recipe), start=1):
        losses.append(loss)
        if on_step is not None:
            on_step(step, loss)
    return Outcome(before, measure(handle, objective, held_out_batches), losses)


def _group(
    name: str, parameters: list[nn.Parameter], learning_rate: float, weight_decay: float
) -> dict[str, Any]:
    return {
        "name": name,
        "params": parameters,
        "lr": learning_rate,
        "weight_decay": weight_decay,
    }


def _train(
    handle: Retrofit, blocks: Blocks, objective: Objective, recipe: Recipe
) -> Iterator[float]:
    """Train, and yield the loss of every step."""
    if recipe.sink:
        with eager_attention(handle.model):
            yield from _steps(handle, blocks, objective, recipe)
    else:
        yield from _steps(handle, blocks, objective, recipe)


def _steps(
    handle: Retrofit, blocks: Blocks, objective: Objective, recipe: Recipe
) -> Iterator[float]:
    model = handle.model.eval()
    groups = parameter_groups(
        model,
        handle,
        learning_rate=recipe.learning_rate,
        gate_learning_rate=recipe.gate_learning_rate,
        weight_decay=recipe.weight_decay,
    )
    parameters = [parameter for group in groups for parameter in group["params"]]
    optimiser = torch.optim.AdamW(groups)
    generator = torch.Generator().manual_seed(recipe.seed)
    with Recorder(handle) as recorder:
        for step in range(recipe.steps):
            chosen = torch.randint(len(blocks), (recipe.batch,), generator=generator)
            tokens = blocks[chosen.to(blocks.device)]
            loss, maps = objective(model, tokens, maps=recipe.sink > 0)
            total = loss + _penalties(recipe, recorder, maps, loss)
            if not torch.isfinite(total):
                raise DataError(
                    f"The loss is {total.item()} at step {step + 1}: lower the learning rates."
                )
            model.zero_grad(set_to_none=True)
            total.backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
            optimiser.step()
            recorder.clear()
            yield float(loss.detach())
    model.zero_grad(set_to_none=True)


def _penalties(
    recipe: Recipe, recorder: Recorder, maps: tuple[Tensor, ...], like: Tensor
) -> Tensor:
    """Sum the recipe's penalties, each a mean over the layers."""
    drain = [drain_penalty(value) for value in recorder.values] if recipe.drain else []
    sink = [sink_penalty(m, recipe.sink_threshold) for m in maps] if recipe.sink else []
    ffn = [ffn_output_penalty(x) for x in recorder.ffn_outputs] if recipe.ffn else []
    return (
        recipe.drain * mean_or_zero(drain, like)
        + recipe.sink * mean_or_zero(sink, like)
        + recipe.ffn * mean_or_zero(ffn, like)
    )
