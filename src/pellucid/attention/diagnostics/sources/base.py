"""What all sources of attention states share."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.states import AttentionStates, Unmeasurable
from pellucid.attention.linear import input_axis

OUTPUT_NAMES = ("o_proj", "out_proj", "c_proj", "proj", "dense", "wo", "to_out", "out_lin")


class Recorder(Protocol):
    """Takes what the sources find."""

    def record(self, module: nn.Module, found: AttentionStates | Unmeasurable) -> None:
        """Measure one call of an attention layer."""
        ...

    def parent(self, module: nn.Module) -> nn.Module | None:
        """Return the module that this one is a part of, None for the model itself."""
        ...

    def path(self, module: nn.Module) -> str | None:
        """Return the module's name in the model; None if it belongs to another model."""
        ...

    def calls(self, module: nn.Module) -> int:
        """Return how many calls of this layer were recorded."""
        ...


class Source(Protocol):
    """Attaches hooks to the modules it knows how to read.

    Attributes:
        exclusive: calls of the fused kernel inside such a module are not to be read as well.

    """

    exclusive: bool

    def claims(self, module: nn.Module) -> bool:
        """Tell whether this source reads that module."""
        ...

    def attach(self, module: Any, recorder: Recorder) -> list[RemovableHandle]:
        """Put the hooks on."""
        ...


def find_output_weight(
    module: nn.Module, parent: nn.Module | None, heads: int, value_dim: int
) -> Tensor | None:
    """Find W_O of an attention layer by its usual names, as (heads, value_dim, width).

    BERT's is not in the layer but in `output.dense` beside it.
    """
    places = [module, getattr(module, "output", None), getattr(parent, "output", None)]
    for place in places:
        for name in OUTPUT_NAMES:
            weight = _matrix(getattr(place, name, None))
            if weight is not None and weight.shape[0] == heads * value_dim:
                return weight.unflatten(0, (heads, value_dim))
    return None


def _matrix(layer: object) -> Tensor | None:
    """Return a layer's weight as (inputs, outputs)."""
    if isinstance(layer, nn.Sequential) and len(layer):
        layer = layer[0]
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        return None
    axis = input_axis(layer)
    return None if axis is None else weight.detach().movedim(axis, 0)


def is_cross(module: nn.Module, path: str) -> bool:
    """Tell by the usual names whether a layer of a foreign library is cross-attention."""
    flag = getattr(module, "is_cross_attention", None)
    if isinstance(flag, bool):
        return flag
    names = f"{type(module).__name__} {path}".lower()
    return "cross" in names or "encoder_attn" in names or "encdecattention" in names
