"""Linear layers, torch's and GPT-2's."""

from __future__ import annotations

from torch import nn


def input_axis(layer: object) -> int | None:
    """Return the axis of a linear layer's weight that its inputs lie along; None: it is no such.

    transformers' `Conv1D`, the layer of GPT-2, keeps its weight as (inputs, outputs).
    """
    if isinstance(layer, nn.Linear):
        return 1
    return 0 if type(layer).__name__ == "Conv1D" else None
