"""Attention states of modules that tell them themselves."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from pellucid.attention.diagnostics.sources.base import Recorder
from pellucid.attention.diagnostics.states import Inspectable


class ProtocolSource:
    """Reads modules that implement `Inspectable`."""

    exclusive = True

    def claims(self, module: nn.Module) -> bool:
        """Tell whether the module implements the protocol."""
        return isinstance(module, Inspectable)

    def attach(self, module: Any, recorder: Recorder) -> list[RemovableHandle]:
        """Put the hook on."""

        def end(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            recorder.record(layer, layer.attention_states(args, kwargs, output))

        return [module.register_forward_hook(end, with_kwargs=True)]
