"""Attention states of layers shaped like timm's: a packed `qkv` projection and `num_heads`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.sources.base import Recorder, find_output_weight
from pellucid.attention.diagnostics.states import AttentionStates, Unmeasurable


class PackedSource:
    """Reads by duck typing what does not call the fused kernel; `fused` reads what does."""

    exclusive = False

    def claims(self, module: nn.Module) -> bool:
        """Tell whether the layer has `qkv`, a Linear to three times its inner width."""
        heads, qkv = getattr(module, "num_heads", None), getattr(module, "qkv", None)
        return (
            isinstance(heads, int)
            and isinstance(qkv, nn.Linear)
            and qkv.out_features % (3 * heads) == 0
        )

    def attach(self, module: nn.Module, recorder: Recorder) -> list[RemovableHandle]:
        """Put the hooks on."""
        call = _Call(recorder)
        return [
            module.register_forward_pre_hook(call.begin),
            module.get_submodule("qkv").register_forward_hook(call.on_qkv),
            module.register_forward_hook(call.end, with_kwargs=True),
        ]


class _Call:
    """What the hooks of one layer gather in one call."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.recorded = 0
        self.qkv: Tensor | None = None

    def begin(self, layer: nn.Module, _: Any) -> None:
        self.recorded, self.qkv = self.recorder.calls(layer), None

    def on_qkv(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.qkv = output.detach()

    def end(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> None:
        if self.qkv is not None and self.recorder.calls(layer) == self.recorded:
            extra = [*args[1:], *kwargs.values()]
            self.recorder.record(layer, self._states(layer, self.qkv, extra))
        self.qkv = None

    @torch.no_grad()
    def _states(self, layer: Any, qkv: Tensor, extra: list[Any]) -> AttentionStates | Unmeasurable:
        if qkv.ndim != 3 or any(argument is not None for argument in extra):
            return Unmeasurable(
                "a layer with a packed qkv that does not use the fused kernel is measured on plain "
                "(batch, tokens, dim) inputs without masks or position tables only"
            )
        query, key, value = qkv.unflatten(-1, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
        scale = getattr(layer, "scale", None)
        return AttentionStates(
            query=getattr(layer, "q_norm", nn.Identity())(query),
            key=getattr(layer, "k_norm", nn.Identity())(key),
            value=value,
            scale=scale if isinstance(scale, float) else query.shape[-1] ** -0.5,
            output_weight=find_output_weight(layer, None, layer.num_heads, value.shape[-1]),
        )
