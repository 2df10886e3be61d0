"""Weights of unknown origin, put into a network only if they are wholly its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.errors import WeightsError


def fit_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy weights into a module.

    Args:
        module: what they are for.
        weights: tensors by the names of the module's own state.
        source: where they come from, for messages.

    Raises:
        WeightsError: a tensor is missing, too many, of another shape, or holds numbers that are
            not finite; the module is then as it was.
    """
    own = module.state_dict()
    for name, tensor in own.items():
        given = weights.get(name)
        if given is None:
            raise WeightsError(f"{source}: no tensor {name}: these weights are of another network")
        if given.shape != tensor.shape:
            raise WeightsError(
                f"{source}: {name} has the shape {tuple(given.shape)} where {tuple(tensor.shape)} "
                "belongs: these weights are of another network"
            )
        if not torch.isfinite(given).all():
            raise WeightsError(f"{source}: {name} holds numbers that are not finite")
    for name in weights:
        if name not in own:
            raise WeightsError(f"{source}: {name} is no tensor of this network")
    module.load_state_dict(dict(weights))
