"""`quantise`: a model that computes as if in few bits, in one call, and itself again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from pellucid.attention.neighbours.maps import MapAttention
from pellucid.attention.passes import call_model, evaluation_mode
from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.layers import find_layers, replace_multihead
from pellucid.attention.quantisation.sites import AttentionSite, LayerSite, MapSite, Progress, Site
from pellucid.attention.quantisation.watch import AttentionWatch
from pellucid.errors import ConfigError


class Quantised:
    """A model while it is quantised; `restore`, or the end of the context, makes it itself again.

    Its parameters are then the same objects with the same bits. Quantisation is for evaluation: a
    rounded weight takes no gradient. Attention is quantised in calls of the model itself, not of
    parts of it.

    Args:
        model: the model, changed in place.
        config: what to quantise, and how.

    Attributes:
        model: the model.
        config: the configuration.
        sites: what is quantised, by name; calls of attention appear with the first calibration.
        left_out: modules with a weight that are not quantised, and why.

    Raises:
        ConfigError: there is nothing to quantise. The model is then as it was.

    """

    def __init__(self, model: nn.Module, config: QuantisationConfig) -> None:
        self.model, self.config = model, config
        self.progress = Progress()
        self.sites: dict[str, Site] = {}
        self.left_out: dict[str, str] = {}
        with ExitStack() as stack:
            self._prepare(stack)
            self._undo = stack.pop_all()

    def __enter__(self) -> Self:
        """Return the handle; the model is quantised already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the model."""
        self.restore()

    def restore(self) -> None:
        """Make the model what it was, bit for bit."""
        self._undo.close()

    @torch.no_grad()
    def calibrate(self, batches: Iterable[object]) -> None:
        """Find the activations' ranges anew, in full precision; then everything is rounded.

        Args:
            batches: what the model is called with: keyword arguments as a mapping, positional
                arguments as a tuple, or one argument. `attention_mask` tells padding, which is
                left out.

        Raises:
            ConfigError: there are no batches, activations are not finite, or attention was asked
                for and none was seen.

        """
        for site in self.sites.values():
            for quantiser in site.quantisers.values():
                quantiser.reset()
        passes = 0
        with self.only(lambda _: False), evaluation_mode(self.model), self._calibrating():
            for batch in batches:
                call_model(self.model, batch)
                passes += 1
        if not passes:
            raise ConfigError("There are no calibration batches.")
        if "attention" in self.config.kinds and not self._attention():
            raise ConfigError(
                "No call of torch's scaled_dot_product_attention was seen, so attention cannot be "
                "quantised: set the model's attn_implementation to 'sdpa', or leave 'attention' "
                "out of kinds."
            )
        self._switch(lambda _: True)

    @contextmanager
    def only(
        self, select: Callable[[Site], bool], weights: bool = True, activations: bool = True
    ) -> Iterator[None]:
        """Quantise some of the sites only, for a while; afterwards all of them.

        Args:
            select: tells which.
            weights: round their weights.
            activations: round their activations.

        """
        self._switch(select, weights=weights, activations=activations)
        try:
            yield
        finally:
            self._switch(lambda _: True)

    @contextmanager
    def outputs(self) -> Iterator[dict[str, Tensor]]:
        """Give a dictionary that takes what every site puts out: (real tokens, ...) by name."""
        self.progress.outputs = {}
        try:
            yield self.progress.outputs
        finally:
            self.progress.outputs = None

    def _switch(
        self, select: Callable[[Site], bool], *, weights: bool = True, activations: bool = True
    ) -> None:
        for site in self.sites.values():
            chosen = select(site)
            site.switch(weights=chosen and weights, activations=chosen and activations)

    def _attention(self) -> list[Site]:
        return [site for site in self.sites.values() if site.kind == "attention"]

    @contextmanager
    def _calibrating(self) -> Iterator[None]:
        self.progress.calibrating = True
        try:
            yield
        finally:
            self.progress.calibrating = False

    def _prepare(self, stack: ExitStack) -> None:
        for replaced in replace_multihead(self.model):
            stack.callback(replaced.restore)
        found, self.left_out = find_layers(self.model, self.config)
        if not found and "attention" not in self.config.kinds:
            raise ConfigError(
                f"There is nothing to quantise in {type(self.model).__name__}: "
                + "; ".join(f"{path}: {reason}" for path, reason in self.left_out.items())
            )
        watch = AttentionWatch(self.model, self._attention_site)
        stack.callback(watch.remove)
        hook = self.model.register_forward_pre_hook(self._on_start, with_kwargs=True)
        stack.callback(hook.remove)
        for path, (module, kind) in found.items():
            site = LayerSite(path, module, kind, self.config, self.progress)
            stack.callback(site.remove)
            self.sites[path] = site
        if "attention" in self.config.kinds:
            self._prepare_maps(stack)

    def _prepare_maps(self, stack: ExitStack) -> None:
        for path, module in self.model.named_modules():
            if isinstance(module, MapAttention):
                site = MapSite(f"{path}:attention", module, self.config, self.progress)
                stack.callback(site.remove)
                self.sites[site.path] = site

    def _on_start(self, _: nn.Module, __: Any, kwargs: Mapping[str, Any]) -> None:
        mask = kwargs.get("attention_mask")
        real = mask.bool() if isinstance(mask, Tensor) and mask.ndim == 2 else None
        self.progress.real = None if real is None or real.all() else real

    def _attention_site(self, path: str) -> AttentionSite | None:
        if "attention" not in self.config.kinds:
            return None
        name = f"{path}:attention"
        if name not in self.sites and self.progress.calibrating:
            self.sites[name] = AttentionSite(name, self.config, self.progress)
        site = self.sites.get(name)
        return site if isinstance(site, AttentionSite) else None


def quantise(
    model: nn.Module, batches: Iterable[object], config: QuantisationConfig | None = None
) -> Quantised:
    """Make a model compute as if in few bits, in place.

        with quantise(model, batches, QuantisationConfig.of("W8A8")) as quantised:
            model(**batch)

    Args:
        model: any model with linear layers; run in evaluation mode while it is calibrated.
        batches: what to find the activations' ranges on, see `Quantised.calibrate`. Published work
            takes 16 batches.
        config: what to quantise, and how; None: W8A8 as published.

    Returns:
        The handle, which restores the model.

    Raises:
        ConfigError: there is nothing to quantise, or calibration failed. The model is then as it
            was.

    """
    handle = Quantised(model, QuantisationConfig() if config is None else config)
    try:
        handle.calibrate(batches)
    except BaseException:
        handle.restore()
        raise
    return handle
