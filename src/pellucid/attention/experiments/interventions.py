"""Changes to what flows backwards through an attention layer, nothing else: tests of the story.

The paper's story is a loop: attention on <s> brings V_s all the gradient, so V_s is drained, so <s>
is a safer sink; a gate that shuts at <s> would stop both. Taking away one gradient at a time shows
which of them matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from pellucid.attention.module import Attention
from pellucid.errors import ConfigError


def _scale_value_gradient(layer: Attention, first: float, others: float) -> None:
    """Multiply ∂L/∂V of the first token, and of the others."""

    def scale(gradient: Tensor) -> Tensor:
        scaled = gradient * others
        scaled[:, 0] = gradient[:, 0] * first
        return scaled

    def watch(_: nn.Module, __: Any, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(scale)

    layer.v_proj.register_forward_hook(watch)


def _detach_gate_signal(layer: Attention) -> None:
    """Compute the gate from the same signal, but let no gradient through it to the signal."""
    if layer.gate is None:
        raise ConfigError("There is no gate whose signal could be detached: choose a gated method.")
    layer.gate.register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(),))
    # With a hook on the projection, the layer calls its gate as a module.
    layer.v_proj.register_forward_hook(lambda *_: None)


INTERVENTIONS: Mapping[str, Callable[[Attention], None]] = MappingProxyType(
    {
        "none": lambda _: None,
        "no-sink-value-gradient": lambda layer: _scale_value_gradient(layer, 0.0, 1.0),
        "value-gradients-tenth": lambda layer: _scale_value_gradient(layer, 0.1, 0.1),
        "detached-gate-signal": _detach_gate_signal,
    }
)


def intervene(layer: Attention, name: str) -> None:
    """Change the backward pass of a layer for good.

    Raises:
        ConfigError: there is no intervention of that name, or it needs a gate.

    """
    if name not in INTERVENTIONS:
        raise ConfigError(
            f"There is no intervention {name!r}: choose from {', '.join(INTERVENTIONS)}."
        )
    INTERVENTIONS[name](layer)
