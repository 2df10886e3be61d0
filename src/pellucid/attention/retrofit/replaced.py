"""A gate on `torch.nn.MultiheadAttention`, which calls no projection that a hook could see.

A `StandIn` with the same weights takes its place, and gives them back as they are at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pellucid.attention.gate import GateSpec
from pellucid.attention.retrofit.layout import is_cross_attention, place_like
from pellucid.attention.stand_in import StandIn
from pellucid.attention.torch_multihead import projection_biases, projection_weights
from pellucid.errors import ConfigError


class ReplacedLayer:
    """A `torch.nn.MultiheadAttention` that a gated one stands in for.

    Args:
        model: what the layer is part of.
        path: its name there.
        spec: the gate to put on it.

    Raises:
        ConfigError: the layer cannot be replaced, or cannot carry this gate.

    """

    def __init__(self, model: nn.Module, path: str, spec: GateSpec) -> None:
        parent, _, name = path.rpartition(".")
        self.path = path
        try:
            self._stand_in = StandIn(model.get_submodule(parent), name, spec)
        except ConfigError as error:
            raise ConfigError(f"{path} cannot carry this gate. {error}") from error
        original, layer = self._stand_in.original, self._stand_in.layer.attention
        assert layer.gate is not None
        self.gate = place_like(layer.gate, original.out_proj.weight)
        self.kv_heads = original.num_heads
        self.value_projection: nn.Module = layer.v_proj
        self._copy_flags()

    def remove(self) -> None:
        """Put the original back, with the weights as they are now."""
        self._return_weights()
        self._stand_in.restore()

    def value_of(self, projected: Tensor) -> Tensor:
        """Return the values in the output of `value_projection`."""
        return projected

    def _copy_flags(self) -> None:
        """Leave frozen what was frozen."""
        flag = self._stand_in.original.out_proj.weight.requires_grad
        layer = self._stand_in.layer.attention
        for projection in (layer.q_proj, layer.k_proj, layer.v_proj, layer.out_proj):
            projection.requires_grad_(flag)

    @torch.no_grad()
    def _return_weights(self) -> None:
        original, layer = self._stand_in.original, self._stand_in.layer.attention
        original.to(layer.out_proj.weight)
        projections = (layer.q_proj, layer.k_proj, layer.v_proj)
        weights, biases = projection_weights(original), projection_biases(original)
        for projection, weight, bias in zip(projections, weights, biases, strict=True):
            weight.copy_(projection.weight)
            if bias is not None:
                bias.copy_(projection.bias)
        original.out_proj.load_state_dict(layer.out_proj.state_dict())


def find_multihead(model: nn.Module) -> tuple[list[str], list[str]]:
    """Find torch's multi-head self-attention layers, and its cross-attention layers, by name.

    Raises:
        ConfigError: the model itself is such a layer, and so cannot be replaced in place.

    """
    if isinstance(model, nn.MultiheadAttention):
        raise ConfigError(
            "A bare torch.nn.MultiheadAttention cannot be replaced in place: use "
            "pellucid.attention.MultiheadAttention.from_torch, or pass the module that holds it."
        )
    paths = [p for p, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)]
    cross = [path for path in paths if is_cross_attention(path, model.get_submodule(path))]
    return [path for path in paths if path not in cross], cross
