"""Keeping torch's attention layers from computing where no hook sees them, for a while.

`torch.nn.MultiheadAttention` calls no projection as a module, and torch's Transformer layers read
its weights past whatever is hooked on it.
"""

from __future__ import annotations

from torch import nn

from pellucid.attention.gate import GateSpec
from pellucid.attention.multihead import MultiheadAttention


class StandIn:
    """This library's `MultiheadAttention` in the place of torch's, with the same weights.

    That also turns off the fused path of `torch.nn.TransformerEncoderLayer`.

    Args:
        parent: the module that holds the layer.
        name: the layer's name in it.
        gate: the gate of the stand-in; None: no gate.

    Attributes:
        original: torch's layer.
        layer: what stands in for it.

    Raises:
        ConfigError: the layer has `add_bias_kv` or `add_zero_attn`, or cannot carry this gate.

    """

    def __init__(self, parent: nn.Module, name: str, gate: GateSpec | None = None) -> None:
        original = parent.get_submodule(name)
        assert isinstance(original, nn.MultiheadAttention)
        self.original, self.layer = original, MultiheadAttention.from_torch(original, gate=gate)
        self._parent, self._name = parent, name
        setattr(parent, name, self.layer)

    def restore(self) -> None:
        """Put torch's layer back as it was, in the mode that the model is in."""
        self.original.train(self.layer.training)
        setattr(self._parent, self._name, self.original)


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
