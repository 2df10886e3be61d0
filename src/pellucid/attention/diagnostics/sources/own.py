"""Attention states of this library's own `Attention`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.sources.base import Recorder, find_output_weight
from pellucid.attention.diagnostics.states import AttentionStates, Unmeasurable
from pellucid.attention.module import Attention, split_heads
from pellucid.attention.neighbours import (
    KVBias,
    LearnedSink,
    RegisterTokens,
    SoftmaxAttention,
    SoftmaxOffByOne,
)
from pellucid.attention.neighbours.base import prepend_keys, prepend_to_mask
from pellucid.attention.neighbours.maps import MapAttention


class OwnSource:
    """Reads `pellucid.attention.Attention` with any gate, on every function of the scores."""

    exclusive = True

    def claims(self, module: nn.Module) -> bool:
        """Tell whether this is one of ours."""
        return isinstance(module, Attention)

    def attach(self, module: Attention, recorder: Recorder) -> list[RemovableHandle]:
        """Put the hooks on."""
        call = _Call(module, recorder)
        handles = [
            module.register_forward_pre_hook(call.begin, with_kwargs=True),
            module.v_proj.register_forward_hook(call.on_value),
            module.function.register_forward_pre_hook(call.on_mix, with_kwargs=True),
            module.register_forward_hook(call.end, with_kwargs=True),
        ]
        if module.gate is not None:
            handles.append(module.gate.register_forward_hook(call.on_gate))
        return handles


class _Call:
    """What the hooks of one layer gather in one call."""

    def __init__(self, layer: Attention, recorder: Recorder) -> None:
        self.layer, self.recorder = layer, recorder
        self.input: Tensor | None = None
        self.value: Tensor | None = None
        self.gate: Tensor | None = None
        self.mix: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    def begin(self, *_: Any) -> None:
        self.input = self.value = self.gate = self.mix = None

    def on_value(self, _: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        if self.value is None:  # a second call projects register tokens
            self.input, self.value = inputs[0].detach(), output.detach()

    def on_gate(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.gate = output.detach() if self.gate is None else self.gate

    def on_mix(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.mix = (tuple(tensor.detach() for tensor in args), kwargs)

    def end(self, layer: Attention, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> None:
        assert self.mix is not None  # every pass mixes
        context = args[1] if len(args) > 1 else kwargs.get("context")
        tokens = args[0] if args else kwargs["tokens"]
        own = context is None or context is tokens
        self.recorder.record(layer, self._states(*self.mix, own))
        self.begin()

    def _states(
        self, mixed: tuple[Any, ...], kwargs: dict[str, Any], self_attention: bool
    ) -> AttentionStates | Unmeasurable:
        layer, function = self.layer, self.layer.function
        query, key, value = mixed
        mask, prefix, sink, weigh = kwargs["attn_mask"], 0, None, None
        match function:
            case RegisterTokens():
                prefix = function.tokens.shape[0]
            case SoftmaxAttention():
                pass
            case SoftmaxOffByOne():
                sink = query.new_zeros(query.shape[1])
            case LearnedSink():
                sink = function.logit.detach()
            case MapAttention():
                weigh = function.weights
            case KVBias():
                prefix, mask = 1, prepend_to_mask(mask, 1, key.shape[-2])
                key, value = prepend_keys(
                    key, value, function.key.detach(), function.value.detach()
                )
            case _:
                return Unmeasurable(
                    f"{type(function).__name__} is unknown, so its attention cannot be rebuilt"
                )
        tokens = key.shape[-2] - prefix
        return AttentionStates(
            query=query,
            key=key,
            value=value,
            scale=query.shape[-1] ** -0.5,
            masks=() if mask is None else (mask,),
            causal_offset=key.shape[-2] - query.shape[-2] if kwargs["is_causal"] else None,
            self_attention=self_attention,
            prefix=prefix,
            raw_value=self._raw_value(tokens),
            gate=self._gate(),
            placement="key" if layer.gate is None else layer.gate.spec.placement,
            output_weight=find_output_weight(layer, None, query.shape[1], value.shape[-1]),
            sink_logit=sink,
            weigh=weigh,
        )

    def _raw_value(self, tokens: int) -> Tensor | None:
        """Return the values before a key-side gate; with a cache the older ones are not known."""
        gate = self.layer.gate
        if gate is None or gate.spec.placement == "query" or self.value is None:
            return None
        raw = split_heads(self.value, self.layer.config.key_heads)
        return raw if raw.shape[-2] == tokens else None

    @torch.no_grad()
    def _gate(self) -> Tensor | None:
        gate = self.layer.gate
        if gate is None or self.gate is not None or gate.spec.placement == "query":
            return self.gate
        # In training a lean path computes key-side gates without calling the module.
        signal = self.value if gate.spec.signal == "value" else self.input
        return None if signal is None else gate.forward(signal)
