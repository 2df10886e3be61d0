"""Attention states of any module that calls `torch.nn.functional.scaled_dot_product_attention`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.attention.diagnostics.sources.base import Recorder, find_output_weight, is_cross
from pellucid.attention.diagnostics.states import AttentionStates


class FusedWatch(TorchFunctionMode):
    """Sees calls of the fused kernel go by, on this thread, while it is entered.

    Args:
        recorder: takes what is found.
        owner: returns the innermost module that runs, or None if its attention is already read by
            another source, or it is no module of the model.

    """

    def __init__(self, recorder: Recorder, owner: Callable[[], nn.Module | None]) -> None:
        super().__init__()
        self.recorder, self.owner = recorder, owner

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function as it is, and tell the recorder if it is the fused kernel."""
        kwargs = {} if kwargs is None else kwargs
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            owner = self.owner()
            if owner is not None:
                self.recorder.record(owner, _states(owner, self.recorder, args, kwargs))
        return output


@torch.no_grad()
def _states(
    owner: nn.Module, recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> AttentionStates:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = dict(zip(names, args, strict=False)) | kwargs
    query, key, value = (_four_axes(given[name].detach()) for name in names[:3])
    batch, heads = max(query.shape[0], key.shape[0]), max(query.shape[1], key.shape[1])
    query = query.expand(batch, heads, -1, -1)
    mask, scale = given.get("attn_mask"), given.get("scale")
    same_length = query.shape[-2] == key.shape[-2]
    return AttentionStates(
        query=query,
        key=key.expand(batch, -1, -1, -1),
        value=value.expand(batch, -1, -1, -1),
        scale=query.shape[-1] ** -0.5 if scale is None else scale,
        masks=() if mask is None else (_mask(mask.detach(), given["query"].ndim),),
        # torch aligns its own flag at the first key.
        causal_offset=0 if given.get("is_causal") else None,
        self_attention=same_length and not is_cross(owner, recorder.path(owner) or ""),
        output_weight=find_output_weight(owner, recorder.parent(owner), heads, value.shape[-1]),
    )


def _four_axes(tensor: Tensor) -> Tensor:
    """Make (…, heads, tokens, dim) of any number of leading axes (batch, heads, tokens, dim)."""
    if tensor.ndim == 3:
        return tensor.unsqueeze(1)
    return tensor if tensor.ndim == 4 else tensor.flatten(0, -4)


def _mask(mask: Tensor, ndim: int) -> Tensor:
    if ndim == 3 and mask.ndim == 3:
        return mask.unsqueeze(1)
    return mask if mask.ndim <= 4 else mask.flatten(0, -4)
