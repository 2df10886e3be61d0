"""Gating values without a second copy of them in memory.

Autograd keeps both factors of a product, so a key-side gate would keep the values beside the gated
values: one activation more than plain attention, about 10 % of its peak. The gradient of a logit of
g = gain · σ(l) needs only the gated value G = g V and its gradient,

    ∂L/∂l = g′ Σ_d V_d ∂L/∂G_d = (1 − σ(l)) Σ_d G_d ∂L/∂G_d,

and attention keeps G anyway. When the logits too are computed without the values, from the state
that the values are projected from (see `projected_logits`), nothing keeps V alive.

All of this is exact, and for training in eager mode only: a compiler decides by itself what to
keep.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.gate import Gate


def applies(gate: Gate, projection: nn.Module, states: Tensor) -> bool:
    """Tell whether a key-side gate on these values can and should be computed this way."""
    return (
        gate.spec.activation == "sigmoid"
        and type(projection) is nn.Linear
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled(states.device.type)
    )


def project_gated_values(
    states: Float[Tensor, "batch tokens dim"], projection: nn.Linear, gate: Gate
) -> Float[Tensor, "batch tokens heads_dim"]:
    """Compute g · V for V = projection(states), keeping neither V nor g for the backward pass."""
    if gate.spec.signal == "value":
        logits = projected_logits(states, projection, gate)
    else:
        logits = gate.logits(states)
    return gate_values(projection(states), logits, gate.spec.gain)


def projected_logits(
    states: Float[Tensor, "batch tokens dim"], projection: nn.Linear, gate: Gate
) -> Float[Tensor, "batch tokens gates"]:
    """Compute the logits V W_g + b as states (W_V W_g) + (b_V W_g + b): the same function."""
    gate_weight = gate.dense_weight()
    bias = gate.bias
    if projection.bias is not None:
        projected_bias = gate_weight @ projection.bias
        bias = projected_bias if bias is None else projected_bias + bias
    return F.linear(states, gate_weight @ projection.weight, bias)


def gate_values(
    value: Float[Tensor, "batch tokens heads_dim"],
    logits: Float[Tensor, "batch tokens gates"],
    gain: float,
) -> Float[Tensor, "batch tokens heads_dim"]:
    """Multiply values by gain · σ(logits), keeping only the product for the backward pass.

    There is one gate per head or one per element; heads are side by side.
    """
    return _GateValues.apply(value, logits, gain)


class _GateValues(torch.autograd.Function):
    @staticmethod
    def forward(value: Tensor, logits: Tensor, gain: float) -> Tensor:
        return _scale_groups(value, gain * torch.sigmoid(logits))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: Tensor) -> None:
        _, logits, gain = inputs
        ctx.save_for_backward(output, logits)
        ctx.gain = gain

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        gated, logits = ctx.saved_tensors
        grad_value = _scale_groups(grad, ctx.gain * torch.sigmoid(logits))
        grad_logits = torch.sigmoid(-logits) * _sum_groups(gated, grad, logits.shape[-1])
        return grad_value, grad_logits, None


def _scale_groups(tensor: Tensor, factor: Tensor) -> Tensor:
    """Multiply each group of consecutive elements by its factor."""
    groups = tensor.unflatten(-1, (factor.shape[-1], -1))
    return (groups * factor.unsqueeze(-1)).flatten(-2)


def _sum_groups(left: Tensor, right: Tensor, groups: int) -> Tensor:
    """Sum left · right over each group of consecutive elements, without storing the product."""
    size = (groups, -1)
    return torch.einsum("...gd,...gd->...g", left.unflatten(-1, size), right.unflatten(-1, size))
