"""Attention states of `torch.nn.MultiheadAttention`, and so of torch's Transformer layers."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.sources.base import Recorder, find_output_weight
from pellucid.attention.diagnostics.states import AttentionStates, Unmeasurable
from pellucid.attention.module import split_heads
from pellucid.attention.neighbours.base import prepend_to_mask
from pellucid.attention.torch_multihead import (
    projection_biases,
    projection_weights,
    to_batch_first,
    to_seen,
)

_SIGNATURE = inspect.signature(nn.MultiheadAttention.forward)


class MultiheadSource:
    """Reads `torch.nn.MultiheadAttention`: its projections are computed once more from its inputs.

    The hooks keep torch from its fused inference path for a whole Transformer layer, so the output
    of an inspected pass may differ from an uninspected one in the last digits.
    """

    exclusive = True

    def claims(self, module: nn.Module) -> bool:
        """Tell whether this is torch's layer."""
        return isinstance(module, nn.MultiheadAttention)

    def attach(self, module: nn.MultiheadAttention, recorder: Recorder) -> list[RemovableHandle]:
        """Put the hook on."""

        def end(
            layer: nn.MultiheadAttention, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any
        ) -> None:
            bound = _SIGNATURE.bind(layer, *args, **kwargs)
            bound.apply_defaults()
            recorder.record(layer, _states(layer, bound.arguments))

        return [module.register_forward_hook(end, with_kwargs=True)]


@torch.no_grad()
def _states(
    layer: nn.MultiheadAttention, arguments: dict[str, Any]
) -> AttentionStates | Unmeasurable:
    tokens = [arguments[name] for name in ("query", "key", "value")]
    if any(tensor.is_nested for tensor in tokens):
        return Unmeasurable("nested tensors are not measured: pass enable_nested_tensor=False")
    own = tokens[0] is tokens[1]
    tokens = [to_batch_first(tensor, layer.batch_first) for tensor in tokens]
    query, key, value = _project(layer, tokens)
    masks = _masks(layer, arguments, query.shape[0])
    prefix = 0
    if layer.bias_k is not None and layer.bias_v is not None:
        key = torch.cat((_bias(layer.bias_k, key), key), dim=-2)
        value = torch.cat((_bias(layer.bias_v, value), value), dim=-2)
        prefix = 1
    keys = key.shape[-2] - prefix
    return AttentionStates(
        query=query,
        key=key,
        value=value,
        scale=query.shape[-1] ** -0.5,
        masks=tuple(_prepend(mask, prefix, keys) for mask in masks),
        self_attention=own,
        prefix=prefix,
        output_weight=find_output_weight(layer, None, layer.num_heads, value.shape[-1]),
        sink_logit=query.new_zeros(layer.num_heads) if layer.add_zero_attn else None,
    )


def _project(layer: nn.MultiheadAttention, tokens: list[Tensor]) -> list[Tensor]:
    weights, biases = projection_weights(layer), projection_biases(layer)
    return [
        split_heads(F.linear(states, weight, bias), layer.num_heads)
        for states, weight, bias in zip(tokens, weights, biases, strict=True)
    ]


def _masks(layer: nn.MultiheadAttention, arguments: dict[str, Any], batch: int) -> list[Tensor]:
    """Return torch's two masks with True meaning seen, each as it is, not multiplied out."""
    masks = []
    padding, mask = arguments["key_padding_mask"], arguments["attn_mask"]
    if padding is not None:
        padding = padding[None] if padding.ndim == 1 else padding
        masks.append(to_seen(padding)[:, None, None])
    if mask is not None:
        mask = mask.unflatten(0, (batch, layer.num_heads)) if mask.ndim == 3 else mask[None, None]
        masks.append(to_seen(mask))
    return masks


def _prepend(mask: Tensor, prefix: int, keys: int) -> Tensor:
    prepended = prepend_to_mask(mask, prefix, keys) if prefix else mask
    assert prepended is not None  # as there was a mask
    return prepended


def _bias(bias: Tensor, like: Tensor) -> Tensor:
    """Turn a bias of shape (1, 1, heads · dim) into (batch, heads, 1, dim)."""
    return split_heads(bias, like.shape[1]).expand(like.shape[0], -1, -1, -1)
