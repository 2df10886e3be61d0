"""`retrofit`: gates on a model that exists, in one call, and off again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from pellucid.attention.gate import Gate, GateSpec
from pellucid.attention.retrofit.identity import starting_at_identity, why_not_identity
from pellucid.attention.retrofit.layout import SUPPORTED, find_projected
from pellucid.attention.retrofit.parity import (
    Parity,
    Probe,
    compare,
    default_probe,
    run_probe,
)
from pellucid.attention.retrofit.projected import ProjectedLayer
from pellucid.attention.retrofit.replaced import ReplacedLayer, find_multihead
from pellucid.attention.stand_in import PaddedEncoder
from pellucid.errors import ConfigError

# A replaced layer runs other kernels: outputs may move by this many units of rounding, relative to
# the largest output. A layer with hooks moves by none.
_ROUNDINGS = 256


class GatedLayer(Protocol):
    """One layer with its gate.

    Attributes:
        path: the layer's name in the model.
        gate: its gate.
        kv_heads: its key-value heads.
        value_projection: the module whose output holds the layer's values.

    """

    path: str
    gate: Gate
    kv_heads: int
    value_projection: nn.Module

    def value_of(self, projected: Tensor) -> Tensor:
        """Return the values in the output of `value_projection`, (batch, tokens, heads · dim)."""
        ...

    def remove(self) -> None:
        """Take the gate off."""
        ...


@dataclass
class Retrofit:
    """Gates on a model, and what they did to it.

    Attributes:
        model: the model, changed in place.
        spec: the gate on every layer.
        layers: the gated layers.
        left_out: attention layers that got no gate: cross-attention, and those not selected.
        why_not_exact: why the gates do not start as the exact identity; None: they do.
        parity: how far the outputs moved when the gates were put on; None: no probe was given and
            none could be made, so nothing was measured.

    """

    model: nn.Module
    spec: GateSpec
    layers: list[GatedLayer]
    left_out: list[str]
    why_not_exact: str | None
    parity: Parity | None = None
    _encoders: list[PaddedEncoder] = field(default_factory=list, repr=False)

    @property
    def exact(self) -> bool:
        """Whether every gate started at exactly 1."""
        return self.why_not_exact is None

    @property
    def gates(self) -> dict[str, Gate]:
        """The gates by the names of their layers; empty once undone."""
        return {layer.path: layer.gate for layer in self.layers}

    def undo(self) -> None:
        """Take all gates off.

        The modules are the original ones again, with the weights they have now: a model that was
        not trained in between computes bit for bit what it did before.
        """
        for layer in self.layers:
            layer.remove()
        for encoder in self._encoders:
            encoder.restore()
        self.layers, self._encoders = [], []

    def summary(self) -> str:
        """Tell in a few lines what was done, and whether the model still computes the same."""
        start = "exactly the identity" if self.exact else f"not the identity: {self.why_not_exact}"
        parameters = sum(p.numel() for gate in self.gates.values() for p in gate.parameters())
        lines = [
            f"{len(self.layers)} layers gated ({parameters} parameters): {self.spec}",
            f"start: {start}",
            f"parity: {self.parity or 'not measured: give a probe batch'}",
        ]
        if self.left_out:
            lines.append(f"without a gate: {', '.join(self.left_out)}")
        return "\n".join(lines)


def retrofit(
    model: nn.Module,
    spec: GateSpec | str,
    *,
    probe: Probe | None = None,
    select: Callable[[str], bool] | None = None,
) -> Retrofit:
    """Put a gate on every self-attention layer of a model, in place.

    The gates become submodules, so `model.parameters()`, `to` and `state_dict` include them. An
    optimiser must be made after the retrofit.

    Args:
        model: a transformers model or a module that holds `torch.nn.MultiheadAttention` layers.
        spec: a `GateSpec`, used as it is; or the name of a preset, whose initial weight and gain
            are changed so that it starts as the identity (`starting_at_identity`).
        probe: a small batch to measure parity on: keyword arguments of the model as a mapping, or
            positional ones as a sequence. None: random tokens or pixels for a model of
            transformers, noise for torch's encoders and decoders; else nothing is measured.
        select: takes a layer's name and tells whether to put a gate on it; None: on all.

    Returns:
        The handle.

    Raises:
        ConfigError: the model has no layer that can carry a gate, a layer cannot carry this gate or
            has one already, the probe ran past all gates, or gates that start as the identity
            changed the outputs. The model is then left as it was.

    """
    spec = starting_at_identity(spec) if isinstance(spec, str) else spec
    probe = default_probe(model) if probe is None else probe
    before = None if probe is None else run_probe(model, probe)
    handle = attach(model, spec, select)
    if before is None or probe is None:
        return handle
    try:
        handle.parity = _measure_parity(handle, before, probe)
        _check_parity(handle, handle.parity)
    except BaseException:
        handle.undo()
        raise
    return handle


def attach(model: nn.Module, spec: GateSpec, select: Callable[[str], bool] | None) -> Retrofit:
    """Put the gates on without measuring anything; on an error the model is left as it was.

    Raises:
        ConfigError: as in `retrofit`.

    """
    projected, cross = find_projected(model)
    multihead, multihead_cross = find_multihead(model)
    names = [layer.path for layer in projected] + multihead
    if not names:
        raise ConfigError(
            f"{type(model).__name__} has no self-attention layer that can carry a gate. {SUPPORTED}"
        )
    chosen = {name for name in names if select is None or select(name)}
    if not chosen:
        raise ConfigError(f"No layer was selected; there are {', '.join(names)}.")
    left_out = [*cross, *multihead_cross, *(name for name in names if name not in chosen)]
    handle = Retrofit(model, spec, [], left_out, why_not_identity(spec, _dtype(model)))
    try:
        for layer in projected:
            if layer.path in chosen:
                handle.layers.append(ProjectedLayer(layer, spec))
        for path in multihead:
            if path in chosen:
                handle.layers.append(ReplacedLayer(model, path, spec))
        handle._encoders = _keep_padding(model, [p for p in multihead if p in chosen])
    except BaseException:
        handle.undo()
        raise
    return handle


def _keep_padding(model: nn.Module, replaced: Sequence[str]) -> list[PaddedEncoder]:
    prefixes = tuple(f"{path}." for path in replaced)
    return [
        PaddedEncoder(module)
        for path, module in model.named_modules()
        if isinstance(module, nn.TransformerEncoder)
        and any(p.startswith(f"{path}.layers." if path else "layers.") for p in prefixes)
    ]


def _measure_parity(handle: Retrofit, before: list[Tensor], probe: Probe) -> Parity:
    reached: set[str] = set()
    hooks = [
        layer.gate.register_forward_hook(lambda *_, path=layer.path: reached.add(path))
        for layer in handle.layers
    ]
    try:
        after = run_probe(handle.model, probe)
    finally:
        for hook in hooks:
            hook.remove()
    return compare(before, after, tuple(path for path in handle.gates if path not in reached))


def _check_parity(handle: Retrofit, parity: Parity) -> None:
    if len(parity.unreached) == len(handle.layers):
        raise ConfigError(
            "The probe batch ran through none of the gates, so they would do nothing: the model "
            "may call its attention in a way of its own, or the probe does not use it."
        )
    allowed = _ROUNDINGS * torch.finfo(_dtype(handle.model)).eps * max(1.0, parity.output_scale)
    # Not ≤, so that NaN fails as well.
    if handle.exact and not parity.max_difference <= allowed:
        raise ConfigError(
            f"Gates that start as the identity changed the outputs by {parity.max_difference:.2e}, "
            "so this model is not retrofitted correctly and was left as it was. If it draws random "
            f"numbers in evaluation mode, its outputs cannot be compared. {SUPPORTED}"
        )


def _dtype(model: nn.Module) -> torch.dtype:
    types = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
    return next(types, torch.float32)
