"""Seeing values, gates and feed-forward outputs of a retrofitted model while it runs."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.module import split_heads
from pellucid.attention.retrofit.handle import GatedLayer, Retrofit

# The module that makes a block's feed-forward output; ALBERT's `ffn` is only its first half.
_FFN_NAMES = ("mlp", "ffn_output", "ffn", "fc2", "linear2")


class Recorder:
    """Collects what one pass of a retrofitted model computes, with gradients, inside `with`.

    Args:
        handle: the retrofit.

    Attributes:
        values: a layer's values before its gate, (batch, kv_heads, tokens, head_dim).
        gates: a layer's gates, (batch, heads, tokens), with a trailing dim for element gates. A
            replaced `torch.nn.MultiheadAttention` shows its key-side gates without gradients only.
        ffn_outputs: a block's feed-forward output, (batch, tokens, dim).

    """

    def __init__(self, handle: Retrofit) -> None:
        self._handle = handle
        self._hooks: list[Any] = []
        self.values: list[Float[Tensor, "batch kv_heads tokens head_dim"]] = []
        self.gates: list[Tensor] = []
        self.ffn_outputs: list[Float[Tensor, "batch tokens dim"]] = []

    def clear(self) -> None:
        """Forget the last pass."""
        self.values.clear()
        self.gates.clear()
        self.ffn_outputs.clear()

    def __enter__(self) -> Recorder:
        for layer in self._handle.layers:
            self._watch(layer)
        for module in feed_forward_outputs(self._handle):
            self._hooks.append(module.register_forward_hook(self._see_ffn))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _see_ffn(self, _: nn.Module, __: Any, output: Any) -> None:
        # Mixture-of-experts blocks return their router's logits as well.
        self.ffn_outputs.append(output if isinstance(output, Tensor) else output[0])

    def _see_gate(self, _: nn.Module, __: Any, gate: Tensor) -> None:
        self.gates.append(gate)

    def _watch(self, layer: GatedLayer) -> None:
        def see_value(_: nn.Module, __: Any, projected: Tensor) -> None:
            self.values.append(split_heads(layer.value_of(projected), layer.kv_heads))

        # First in line, so before a key-side gate changes the values.
        self._hooks += [
            layer.value_projection.register_forward_hook(see_value, prepend=True),
            layer.gate.register_forward_hook(self._see_gate),
        ]


def feed_forward_outputs(handle: Retrofit) -> list[nn.Module]:
    """Find the module that makes the feed-forward output of each gated layer's block."""
    found = (_feed_forward_of(handle.model, layer.path) for layer in handle.layers)
    return [module for module in found if module is not None]


def _feed_forward_of(model: nn.Module, path: str) -> nn.Module | None:
    """Look in the blocks around an attention layer, the nearest first."""
    while path:
        path = path.rpartition(".")[0]
        block = model.get_submodule(path)
        for name in _FFN_NAMES:
            module = getattr(block, name, None)
            if isinstance(module, nn.Module):
                return module
        if hasattr(block, "intermediate") and hasattr(block, "output"):  # BERT
            return block.get_submodule("output.dense")
    return None
