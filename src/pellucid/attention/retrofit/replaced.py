"""A gate on `torch.nn.MultiheadAttention`, which calls no projection that a hook could see.

The layer is replaced by this library's `MultiheadAttention` with the same weights. That also turns
off the fused path of `torch.nn.TransformerEncoderLayer`, which reads the weights past the gate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pellucid.attention.gate import GateSpec
from pellucid.attention.multihead import MultiheadAttention
from pellucid.attention.retrofit.layout import is_cross_attention, place_like
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
        parent, _, self._name = path.rpartition(".")
        self.path = path
        self._parent = model.get_submodule(parent)
        original = model.get_submodule(path)
        assert isinstance(original, nn.MultiheadAttention)
        self._original = original
        self.kv_heads = original.num_heads
        try:
            self._stand_in = MultiheadAttention.from_torch(original, gate=spec)
        except ConfigError as error:
            raise ConfigError(f"{path} cannot carry this gate. {error}") from error
        gate = self._stand_in.attention.gate
        assert gate is not None
        self.gate = place_like(gate, original.out_proj.weight)
        self.value_projection: nn.Module = self._stand_in.attention.v_proj
        self._copy_flags()
        setattr(self._parent, self._name, self._stand_in)

    def remove(self) -> None:
        """Put the original back, with the weights as they are now."""
        self._return_weights()
        self._original.train(self._stand_in.training)
        setattr(self._parent, self._name, self._original)

    def value_of(self, projected: Tensor) -> Tensor:
        """Return the values in the output of `value_projection`."""
        return projected

    def _copy_flags(self) -> None:
        """Leave frozen what was frozen."""
        flag = self._original.out_proj.weight.requires_grad
        layer = self._stand_in.attention
        for projection in (layer.q_proj, layer.k_proj, layer.v_proj, layer.out_proj):
            projection.requires_grad_(flag)

    @torch.no_grad()
    def _return_weights(self) -> None:
        original, layer = self._original, self._stand_in.attention
        original.to(layer.out_proj.weight)
        projections = (layer.q_proj, layer.k_proj, layer.v_proj)
        weights: tuple[Tensor, ...] = tuple(projection.weight for projection in projections)
        if original.in_proj_weight is not None:
            original.in_proj_weight.copy_(torch.cat(weights))
        else:
            separate = (original.q_proj_weight, original.k_proj_weight, original.v_proj_weight)
            for target, weight in zip(separate, weights, strict=True):
                target.copy_(weight)
        if original.in_proj_bias is not None:
            biases: tuple[Tensor, ...] = tuple(projection.bias for projection in projections)
            original.in_proj_bias.copy_(torch.cat(biases))
        original.out_proj.load_state_dict(layer.out_proj.state_dict())


class PaddedEncoder:
    """A `torch.nn.TransformerEncoder` kept from packing padded tokens away.

    Its packed path reads the weights of `torch.nn.MultiheadAttention` directly.
    """

    def __init__(self, encoder: nn.TransformerEncoder) -> None:
        self._encoder = encoder
        self._packed = encoder.use_nested_tensor
        encoder.use_nested_tensor = False

    def restore(self) -> None:
        """Let the encoder pack again if it did."""
        self._encoder.use_nested_tensor = self._packed


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
