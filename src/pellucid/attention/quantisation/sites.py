"""The places of a model that are quantised: linear layers, gates, and calls of attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.linear import input_axis
from pellucid.attention.neighbours.maps import MapAttention
from pellucid.attention.quantisation.activations import ActivationQuantiser, Noise, real_tokens
from pellucid.attention.quantisation.config import Kind, QuantisationConfig
from pellucid.attention.quantisation.grids import weight_grid
from pellucid.attention.reference import masked_scores, repeat_heads, safe_softmax

_MIXED = ("query", "key", "value")


@dataclass
class Progress:
    """What all sites of a model share while it runs.

    Attributes:
        calibrating: ranges are being found; nothing is rounded.
        real: (batch, tokens) of the running pass, False at padding; None: no padding.
        outputs: takes what every site puts out, by its name; None: it is not kept.

    """

    calibrating: bool = False
    real: Tensor | None = None
    outputs: dict[str, Tensor] | None = None


class Site:
    """One place; `rounds` says whether its activations are rounded now.

    Args:
        path: its name in the model.
        kind: what it is.
        quantisers: of its activations, by what they are in it.
        progress: what all sites share.

    """

    def __init__(
        self,
        path: str,
        kind: Kind,
        quantisers: Mapping[str, ActivationQuantiser],
        progress: Progress,
    ) -> None:
        self.path, self.quantisers, self.progress = path, quantisers, progress
        self.kind: Kind = kind
        self.rounds = False

    def switch(self, *, weights: bool, activations: bool) -> None:  # noqa: ARG002
        """Turn rounding of weights and of activations on or off."""
        self.rounds = activations

    def quantise(self, name: str, values: Tensor) -> Tensor:
        """Calibrate with some activations, or round them, or do nothing."""
        quantiser, real = self.quantisers.get(name), self.progress.real
        if quantiser is None:
            return values
        if self.progress.calibrating:
            quantiser.calibrate(real_tokens(values, real))
            return values
        return quantiser(values, real) if self.rounds else values

    def keep(self, output: Tensor) -> None:
        """Keep what the site put out, if that is wanted."""
        if self.progress.outputs is not None:
            self.progress.outputs[self.path] = real_tokens(output.detach(), self.progress.real)


class LayerSite(Site):
    """A linear layer or a gate: its weight, what goes in, and what comes out.

    Args:
        path: the module's name.
        module: the module.
        kind: what it is.
        config: how to quantise.
        progress: what all sites share.

    """

    def __init__(
        self,
        path: str,
        module: nn.Module,
        kind: Kind,
        config: QuantisationConfig,
        progress: Progress,
    ) -> None:
        names = ("input", "output") if config.outputs else ("input",)
        super().__init__(
            path, kind, {name: ActivationQuantiser(config) for name in names}, progress
        )
        self.module: Any = module
        self.exact = self.module.weight
        weight = self.exact.detach()
        axis = input_axis(module)
        axis = weight.ndim - 1 if axis is None else axis  # a gate's
        rounded = weight_grid(weight, (axis,), config).round(weight)
        self.rounded = nn.Parameter(rounded, requires_grad=False)
        self.weight_noise = Noise()
        self.weight_noise.add(weight, rounded)
        self._hooks = (
            module.register_forward_pre_hook(self._on_input),
            module.register_forward_hook(self._on_output),
        )

    def switch(self, *, weights: bool, activations: bool) -> None:
        """Put the rounded or the exact weight in place, and turn rounding on or off."""
        super().switch(weights=weights, activations=activations)
        self.module.weight = self.rounded if weights else self.exact

    def remove(self) -> None:
        """Put the exact weight back and take the hooks off."""
        self.switch(weights=False, activations=False)
        for hook in self._hooks:
            hook.remove()

    def _on_input(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.quantise("input", inputs[0]), *inputs[1:])

    def _on_output(self, _: nn.Module, __: Any, output: Tensor) -> Tensor:
        output = self.quantise("output", output)
        self.keep(output)
        return output


def _attention_quantisers(config: QuantisationConfig) -> dict[str, ActivationQuantiser]:
    return {name: ActivationQuantiser(config) for name in (*_MIXED, "probabilities")}


class MapSite(Site):
    """Attention that is no softmax: `MapAttention`, which calls no kernel that could be watched.

    Args:
        path: its name in the model.
        module: the attention function.
        config: how to quantise.
        progress: what all sites share.

    """

    def __init__(
        self, path: str, module: MapAttention, config: QuantisationConfig, progress: Progress
    ) -> None:
        super().__init__(path, "attention", _attention_quantisers(config), progress)
        self._hooks = (
            module.register_forward_pre_hook(self._on_input),
            module.probabilities.register_forward_hook(self._on_weights),
            module.register_forward_hook(self._on_output),
        )

    def remove(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()

    def _on_input(self, _: nn.Module, mixed: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(map(self.quantise, _MIXED, mixed))

    def _on_weights(self, _: nn.Module, __: Any, weights: Tensor) -> Tensor:
        return self.quantise("probabilities", weights)

    def _on_output(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.keep(output)


class AttentionSite(Site):
    """The calls of `scaled_dot_product_attention` by one module."""

    def __init__(self, path: str, config: QuantisationConfig, progress: Progress) -> None:
        super().__init__(path, "attention", _attention_quantisers(config), progress)

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Attend as torch does; with the map written out where it is calibrated or rounded."""
        if self.progress.calibrating or self.rounds:
            query, key, value = (
                self.quantise(name, tensor)
                for name, tensor in zip(_MIXED, (query, key, value), strict=True)
            )
            if enable_gqa:
                key, value = (repeat_heads(tensor, query.shape[1]) for tensor in (key, value))
            scores = masked_scores(
                query, key, attn_mask=attn_mask, is_causal=is_causal, scale=scale
            )
            weights = self.quantise("probabilities", safe_softmax(scores))
            output = torch.dropout(weights, dropout_p, train=True) @ value
        else:
            output = F.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask,
                dropout_p,
                is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            )
        self.keep(output)
        return output
