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


def widths(layer: object) -> tuple[int, int] | None:
    """Return the input and output width of anything that acts as a linear layer, else None.

    That is any module that tells them by the names of `torch.nn.Linear` or of `Conv1D`.
    """
    for names in (("in_features", "out_features"), ("nx", "nf")):
        found = tuple(getattr(layer, name, None) for name in names)
        if isinstance(layer, nn.Module) and all(isinstance(width, int) for width in found):
            return found[0], found[1]  # type: ignore[return-value]
    return None
