"""Files of weights, which may be of unknown origin: read without pickle, fitted whole or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pellucid.errors import WeightsError
from pellucid.files import appearing_whole


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read one file of weights (.safetensors), tensors by name.

    Raises:
        WeightsError: it is missing, or not a whole safetensors file.
    """
    try:
        # Copies: a tensor that maps the file would die with it when another run replaces the file.
        return {name: value.clone() for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: not readable as weights ({error})") from error


def save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write one file of weights, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing_whole(path) as partial:
        save_file({name: value.detach().contiguous() for name, value in weights.items()}, partial)


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
