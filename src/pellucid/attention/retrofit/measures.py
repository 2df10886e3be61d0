"""Simple figures of a retrofitted model, for before and after.

A `Measure` is the one place to plug richer diagnostics in: `fine_tune` takes any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from jaxtyping import Int
from torch import Tensor

from pellucid.attention.passes import evaluation_mode
from pellucid.attention.retrofit.handle import Retrofit
from pellucid.attention.retrofit.objectives import Objective, eager_attention
from pellucid.attention.retrofit.recording import Recorder


class Measure(Protocol):
    """Computes named figures of a model on tokens it was not trained on."""

    def __call__(
        self, handle: Retrofit, objective: Objective, batches: list[Int[Tensor, "batch tokens"]]
    ) -> Mapping[str, float]:
        """Return the figures; the model is left as it was."""
        ...


@torch.no_grad()
def simple_measures(
    handle: Retrofit, objective: Objective, batches: list[Int[Tensor, "batch tokens"]]
) -> dict[str, float]:
    """Mean over the batches of what is needed to see a sink, a drain, and gates that move.

    Returns:
        `loss`: the objective's. `first_token_attention`: mean attention of all queries but the
        first on the first token, over layers and heads, before the gate. `first_value_norm`:
        mean ‖v_1‖ before the gate. `drain_ratio`: mean over layers and heads of ‖v_1‖ over the
        median of the others; below 1 is a drain. `ffn_max`: mean over blocks of the largest
        absolute feed-forward output. `gate_mean`, `gate_first_token`: mean gate of all tokens, and
        of the first. `gate_moved`: mean |g − 1|.

    """
    sums: dict[str, float] = defaultdict(float)
    with (
        evaluation_mode(handle.model),
        eager_attention(handle.model),
        Recorder(handle) as recorder,
    ):
        for tokens in batches:
            loss, maps = objective(handle.model, tokens, maps=True)
            sums["loss"] += float(loss)
            for name, figure in _figures(maps, recorder):
                sums[name] += figure
            recorder.clear()
    return {name: total / len(batches) for name, total in sums.items()}


def _figures(maps: tuple[Tensor, ...], recorder: Recorder) -> Iterator[tuple[str, float]]:
    yield "first_token_attention", _mean([m[:, :, 1:, 0].mean() for m in maps])
    norms = [value.float().norm(dim=-1) for value in recorder.values]
    yield "first_value_norm", _mean([norm[..., 0].mean() for norm in norms])
    ratios = [norm[..., 0] / norm[..., 1:].median(dim=-1).values for norm in norms]
    yield "drain_ratio", _mean([ratio.mean() for ratio in ratios])
    yield "ffn_max", _mean([output.abs().max() for output in recorder.ffn_outputs])
    yield "gate_mean", _mean([gate.mean() for gate in recorder.gates])
    yield "gate_first_token", _mean([gate[:, :, 0].mean() for gate in recorder.gates])
    yield "gate_moved", _mean([(gate - 1).abs().mean() for gate in recorder.gates])


def _mean(figures: list[Tensor]) -> float:
    return float(torch.stack([f.float() for f in figures]).mean()) if figures else float("nan")
