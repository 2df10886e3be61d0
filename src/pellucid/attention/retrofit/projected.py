"""A gate on a layer that calls its projections as modules: three hooks, no changed code.

The gate is computed where the projections are and applied before a cache or after the mixing. So it
does not matter which attention implementation or which cache the model uses: a key-side gate goes
into the cache with the values, and a query-side gate belongs to the tokens just projected.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.attention.functional import apply_gate
from pellucid.attention.gate import GateSpec, merge_heads
from pellucid.attention.module import split_heads
from pellucid.attention.retrofit.layout import ProjectedAttention
from pellucid.errors import ConfigError


class _Fresh(NamedTuple):
    """What a layer has just projected its values from, and the values."""

    states: Tensor
    value: Tensor


class ProjectedLayer:
    """A gated layer of a transformers model; the gate is its submodule `pellucid_gate`.

    Args:
        layer: the layer.
        spec: the gate to put on it.

    Raises:
        ConfigError: the layer has a gate already, or cannot carry this one.

    """

    def __init__(self, layer: ProjectedAttention, spec: GateSpec) -> None:
        if hasattr(layer.module, "pellucid_gate"):
            raise ConfigError(f"{layer.path} has a gate already: undo that retrofit first.")
        self.layer = layer
        self.path = layer.path
        self.kv_heads = layer.kv_heads
        self.gate = layer.make_gate(spec)
        self.value_projection = layer.projection(layer.layout.value)
        self._query_input: Tensor | None = None
        self._fresh: _Fresh | None = None
        layer.module.add_module("pellucid_gate", self.gate)
        self._handles = self._key_hooks() if spec.placement == "key" else self._query_hooks()

    def remove(self) -> None:
        """Take the gate off again."""
        for handle in self._handles:
            handle.remove()
        del self.layer.module.pellucid_gate

    def value_of(self, projected: Tensor) -> Tensor:
        """Return the values in the output of `value_projection`."""
        return self.layer.layout.value_of(projected)

    def _key_hooks(self) -> list[Any]:
        return [self.value_projection.register_forward_hook(self._gate_values)]

    def _query_hooks(self) -> list[Any]:
        layout = self.layer.layout
        query = self.layer.projection(layout.query)
        handles: list[Any] = [
            query.register_forward_hook(self._see_query),
            self.value_projection.register_forward_hook(self._see_value),
        ]
        if layout.output is None:
            handles.append(self.layer.module.register_forward_hook(self._gate_first_output))
        else:
            output = self.layer.projection(layout.output)
            handles.append(output.register_forward_pre_hook(self._gate_input))
        return handles

    def _gate_values(self, _: nn.Module, inputs: tuple[Tensor, ...], projected: Tensor) -> Tensor:
        value = self.value_of(projected)
        gate = self.gate(value if self.gate.spec.signal == "value" else inputs[0])
        heads = split_heads(value, self.kv_heads)
        gated = merge_heads(apply_gate(heads, gate, "value"))
        if not self.layer.layout.fused:
            return gated
        query, key, _value = projected.chunk(3, dim=-1)
        return torch.cat((query, key, gated), dim=-1)

    def _see_query(self, _: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        self._query_input = inputs[0]

    def _see_value(self, _: nn.Module, inputs: tuple[Tensor, ...], projected: Tensor) -> None:
        self._fresh = _Fresh(inputs[0], self.value_of(projected))

    def _gate_input(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self._gate_mixed(inputs[0]), *inputs[1:])

    def _gate_first_output(self, _: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, Tensor):
            return self._gate_mixed(output)
        return (self._gate_mixed(output[0]), *output[1:])

    def _gate_mixed(self, mixed: Tensor) -> Tensor:
        gate = self.gate(self._signal(mixed))
        return merge_heads(apply_gate(split_heads(mixed, self.layer.heads), gate, "output"))

    def _signal(self, mixed: Tensor) -> Tensor:
        """Return what the gate looks at, and forget this call's tensors."""
        query_input, fresh = self._query_input, self._fresh
        self._query_input = self._fresh = None
        if self.gate.spec.signal == "mixed":
            return mixed
        if query_input is None:
            raise ConfigError(f"{self.path} attended without projecting queries: not supported.")
        if self.gate.spec.signal == "input":
            return query_input
        if fresh is None or fresh.states is not query_input:
            raise ConfigError(
                f"{self.path} takes its values from other tokens than its queries, so a query "
                "token has no value of its own: use 'vga-mixed' or 'vga-key'."
            )
        return fresh.value
