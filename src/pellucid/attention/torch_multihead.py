"""How `torch.nn.MultiheadAttention` keeps its weights, and what its masks and layouts mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def projection_weights(layer: nn.MultiheadAttention) -> tuple[Tensor, ...]:
    """Return the weights of queries, keys and values, (outputs, inputs) each: the layer's own."""
    if layer.in_proj_weight is not None:
        return layer.in_proj_weight.chunk(3)
    return layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight


def projection_biases(layer: nn.MultiheadAttention) -> tuple[Tensor | None, ...]:
    """Return the biases of queries, keys and values: the layer's own, None without."""
    return (None,) * 3 if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)


def to_batch_first(tokens: Tensor, batch_first: bool) -> Tensor:
    """Bring the tokens of a call to (batch, tokens, dim); one sequence alone is a batch of one."""
    if tokens.ndim == 2:
        return tokens[None]
    return tokens if batch_first else tokens.transpose(0, 1)


def to_seen(mask: Tensor) -> Tensor:
    """Turn torch's bool convention, True = not seen, around; additive masks stay."""
    return ~mask if mask.dtype == torch.bool else mask
