"""Sinks, drains and extreme tokens of a Transformer, on held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pellucid.attention.diagnostics import Inspector
from pellucid.attention.experiments.objectives import Example
from pellucid.attention.experiments.source_text import MASK
from pellucid.attention.experiments.transformer import Transformer

_INSPECTED = (
    *("first_attention", "sink_first", "sink_any", "drain_first"),
    *("kurtosis", "inf_norm", "massive"),
)


@torch.no_grad()
def extremes(model: Transformer, examples: Sequence[Example]) -> dict[str, float]:
    """Measure a model.

    Args:
        model: see `Transformer`.
        examples: what to run it on.

    Returns:
        The figures of `pellucid.attention.diagnostics` that the papers' tables have, with
        `peak_first` and `peak_other`: the mean over sequences of max|h| at the first token, and of
        its median over the other tokens, each of the block where that is largest. If some tokens
        are hidden, `peak_mask` is its mean over those.

    """
    with ExitStack() as stack:
        peaks = [_Peaks(block, stack) for block in model.blocks]
        inspector = stack.enter_context(Inspector(model))
        for example in examples:
            model(example.inputs)
    summary = inspector.report().summary
    figures = {name: summary[name].mean for name in _INSPECTED}
    figures["peak_first"] = max(peak.first() for peak in peaks)
    figures["peak_other"] = max(peak.other() for peak in peaks)
    hidden = torch.cat([example.inputs for example in examples]) == MASK
    if hidden.any():
        figures["peak_mask"] = max(peak.mean(hidden) for peak in peaks)
    return figures


class _Peaks:
    """The largest |h| of every token that a block puts out."""

    def __init__(self, block: nn.Module, stack: ExitStack) -> None:
        self._found: list[Float[Tensor, "batch tokens"]] = []
        stack.callback(block.register_forward_hook(self._on_output).remove)

    def _on_output(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self._found.append(output.abs().amax(dim=-1))

    def first(self) -> float:
        return float(torch.cat(self._found)[:, 0].mean())

    def mean(self, where: Bool[Tensor, "batch tokens"]) -> float:
        return float(torch.cat(self._found)[where].mean())

    def other(self) -> float:
        return float(torch.cat(self._found)[:, 1:].median(dim=-1).values.mean())
