"""Attention states of transformers models, on any attention implementation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.sources.base import Recorder, find_output_weight, is_cross
from pellucid.attention.diagnostics.states import AttentionStates, Unmeasurable
from pellucid.attention.gate import Gate, Placement
from pellucid.attention.module import split_heads
from pellucid.attention.projections import Layout, layout_of


class HuggingfaceSource:
    """Wraps the attention function that transformers hands to a layer, for a while.

    The model's configuration stays as it is; layers of other models are passed on unseen.

    Args:
        recorder: takes what is found.
        hidden: returns a context in which other sources look away, for the wrapped function.

    """

    def __init__(
        self, recorder: Recorder, hidden: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.recorder, self.hidden = recorder, hidden
        self.gates: dict[nn.Module, _GateCall] = {}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Wrap until the end of the context."""
        library = sys.modules.get("transformers.modeling_utils")
        interface = getattr(library, "ALL_ATTENTION_FUNCTIONS", None)
        if interface is None or not hasattr(interface, "get_interface"):
            yield
            return
        before = interface.__dict__.get("get_interface")
        original = interface.get_interface

        def get_interface(name: str, default: Callable[..., Any]) -> Callable[..., Any]:
            return self._wrap(original(name, default))

        interface.__dict__["get_interface"] = get_interface
        try:
            yield
        finally:
            del interface.__dict__["get_interface"]
            if before is not None:
                interface.__dict__["get_interface"] = before

    def watch_gate(self, module: nn.Module) -> list[RemovableHandle]:
        """Watch the gate that a retrofit put on a layer, if there is one."""
        gate = next((child for child in module.children() if isinstance(child, Gate)), None)
        if gate is None:
            return self._watch_doubled_query(module)
        layout = layout_of(module)
        call = self.gates[module] = _GateCall(gate.spec.placement, layout)
        handles = [gate.register_forward_hook(call.on_gate)]
        if layout is not None:
            # Before the hook that multiplies the values by the gate.
            values = module.get_submodule(layout.value)
            handles.append(values.register_forward_hook(call.on_value, prepend=True))
        return handles

    def _watch_doubled_query(self, module: Any) -> list[RemovableHandle]:
        """Watch the output gate that Qwen3-Next makes in a query projection of double width.

        Each head's second half is the logit of an element gate on the mixed values, as in Gated
        Attention (NeurIPS 2025), whose G1 it is.
        """
        projection = getattr(module, "q_proj", None)
        heads = getattr(getattr(module, "config", None), "num_attention_heads", None)
        width = getattr(module, "head_dim", None)
        if not (isinstance(projection, nn.Linear) and isinstance(heads, int) and width):
            return []
        if projection.out_features != 2 * heads * width:
            return []
        call = self.gates[module] = _GateCall("query")

        def on_query(_: nn.Module, __: Any, output: Tensor) -> None:
            logits = output.detach().unflatten(-1, (heads, 2 * width))[..., width:]
            call.gate = torch.sigmoid(logits).transpose(1, 2)

        return [projection.register_forward_hook(on_query)]

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def attend(
            module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
        ) -> Any:
            if self.recorder.path(module) is None:
                return function(module, query, key, value, *args, **kwargs)
            with self.hidden():
                output = function(module, query, key, value, *args, **kwargs)
            mask = args[0] if args else kwargs.get("attention_mask")
            found = self._states(module, (query, key, value), mask, kwargs)
            self.recorder.record(module, found)
            return output

        return attend

    @torch.no_grad()
    def _states(
        self,
        module: nn.Module,
        heads: tuple[Tensor, Tensor, Tensor],
        mask: Any,
        kwargs: dict[str, Any],
    ) -> AttentionStates | Unmeasurable:
        query, key, value = (tensor.detach() for tensor in heads)
        implementation = str(getattr(getattr(module, "config", None), "_attn_implementation", ""))
        reason = _obstacle(implementation, mask, kwargs)
        if reason is not None:
            return Unmeasurable(reason)
        bias, scale, sink = (kwargs.get(name) for name in ("position_bias", "scaling", "s_aux"))
        masks = [] if mask is None else [_readable(mask, key.shape[-2])]
        gate = self.gates.get(module)
        return AttentionStates(
            query=query,
            key=key,
            value=value,
            scale=query.shape[-1] ** -0.5 if scale is None else scale,
            masks=(*masks, *(() if bias is None else (bias.detach(),))),
            causal_offset=_causal_offset(module, implementation, query, key, mask, kwargs),
            self_attention=not is_cross(module, self.recorder.path(module) or ""),
            raw_value=None if gate is None else gate.raw_value(value),
            gate=None if gate is None else gate.gate,
            placement="key" if gate is None else gate.placement,
            output_weight=find_output_weight(
                module, self.recorder.parent(module), query.shape[1], value.shape[-1]
            ),
            sink_logit=None if sink is None else sink.detach(),
            softcap=kwargs.get("softcap"),
        )


class _GateCall:
    """What a layer's gate and value projection last returned."""

    def __init__(self, placement: Placement, layout: Layout | None = None) -> None:
        self.placement: Placement = placement
        self.layout = layout
        self.gate: Tensor | None = None
        self.flat: Tensor | None = None

    def on_gate(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.gate = output.detach()

    def on_value(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.flat = output.detach()

    def raw_value(self, value: Tensor) -> Tensor | None:
        """Return the values before a key-side gate; with a cache the older ones are not known."""
        if self.flat is None or self.layout is None or self.placement == "query":
            return None
        raw = split_heads(self.layout.value_of(self.flat), value.shape[1])
        return raw if raw.shape == value.shape else None


def _obstacle(implementation: str, mask: Any, kwargs: dict[str, Any]) -> str | None:
    """Return why a call cannot be measured."""
    if mask is not None and not isinstance(mask, Tensor):
        return f"its mask is a {type(mask).__name__}, which cannot be read row by row"
    if "flash" in implementation and kwargs.get("sliding_window"):
        return "a sliding window inside a flash attention kernel is not measured"
    return "a paged cache is not measured" if kwargs.get("cache") is not None else None


def _causal_offset(
    module: nn.Module,
    implementation: str,
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    kwargs: dict[str, Any],
) -> int | None:
    """Tell causality as transformers' kernels do.

    A four-dimensional mask says all, one query of a decoding step sees every key, and eager
    attention knows the mask only. Flash kernels get padding beside the flag, and align it at the
    last key where `scaled_dot_product_attention` aligns it at the first.
    """
    queries, keys = query.shape[-2], key.shape[-2]
    flag = kwargs.get("is_causal")
    flag = getattr(module, "is_causal", True) if flag is None else flag
    if not flag or queries == 1 or implementation == "eager":
        return None
    if mask is not None and mask.ndim > 2:
        return None
    return keys - queries if "flash" in implementation else 0


def _readable(mask: Tensor, keys: int) -> Tensor:
    """Return a mask over (batch, heads, queries, keys); flash kernels get (batch, keys) of 0, 1."""
    if mask.ndim == 2:
        return mask.bool()[:, None, None, -keys:]
    return mask.detach()[..., :keys]
