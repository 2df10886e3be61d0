"""Standing in for torch's fused attention while a model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from pellucid.attention.quantisation.sites import AttentionSite


class AttentionWatch(TorchFunctionMode):
    """Takes the place of the fused kernel during a model's passes.

    Args:
        model: the model.
        site: returns the site of the module of this name; None: leave it alone.

    """

    def __init__(self, model: nn.Module, site: Callable[[str], AttentionSite | None]) -> None:
        super().__init__()
        self._site = site
        self._running: list[str] = []
        self._hooks: list[Any] = [
            model.register_forward_pre_hook(lambda *_: self._begin()),
            model.register_forward_hook(lambda *_: self._end(), always_call=True),
        ]
        for path, module in model.named_modules():
            if any(module.children()):
                self._hooks += [
                    module.register_forward_pre_hook(lambda *_, path=path: self._enter(path)),
                    module.register_forward_hook(lambda *_: self._leave(), always_call=True),
                ]

    def remove(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function, or let a site attend in the place of the fused kernel."""
        if func is F.scaled_dot_product_attention and self._running:
            site = self._site(self._running[-1])
            if site is not None:
                return site.attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _begin(self) -> None:
        self._running = []
        self.__enter__()

    def _end(self) -> None:
        self.__exit__(None, None, None)

    def _enter(self, path: str) -> None:
        self._running.append(path)

    def _leave(self) -> None:
        self._running.pop()
