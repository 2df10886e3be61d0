"""Statistics of layers and modules, gathered over batches."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.attention.diagnostics.activations import ActivationMeasurement
from pellucid.attention.diagnostics.metrics import LOW, Measurement
from pellucid.attention.diagnostics.report import (
    ActivationReport,
    HeadEstimates,
    LayerReport,
    StrongestKey,
)
from pellucid.attention.diagnostics.running import Running
from pellucid.attention.diagnostics.states import AttentionStates

# Positions of a sequence whose attention and value norms are kept.
PROFILE = 64
CHANNELS = 8


class LayerGather:
    """One attention layer over all its calls."""

    def __init__(self, path: str, kind: str, states: AttentionStates) -> None:
        self.path, self.kind = path, kind
        self.heads, self.kv_heads = states.query.shape[1], states.value.shape[1]
        self.calls = 0
        self.tokens = [2**62, 0]
        self.metrics: dict[str, Running] = {}
        self.positions = [Counter[int]() for _ in range(self.heads)]
        self.mass, self.norms = Running(), Running()
        self.sink_tokens = Counter[int]()
        self.gate_peak: Tensor | None = None
        self.missing: dict[str, str] = {}

    def add(self, states: AttentionStates, found: Measurement, token_ids: Tensor | None) -> None:
        """Add one call.

        Args:
            states: what was measured.
            found: the measurement.
            token_ids: (batch, tokens) of the sequences, if known and if they are the keys.

        """
        self.calls += 1
        lengths = (~torch.isnan(found.mass[:, 0])).sum(dim=-1)
        self.tokens = [
            min(self.tokens[0], int(lengths.min())),
            max(self.tokens[1], int(lengths.max())),
        ]
        for name, values in found.values.items():
            self.metrics.setdefault(name, Running()).update(to_numpy(values))
        positions = found.position.tolist()
        for head, counter in enumerate(self.positions):
            counter.update(row[head] for row in positions)
        self.mass.update(_profile(found.mass))
        self.norms.update(_profile(found.norms))
        if found.gate_peak is not None:
            peak = found.gate_peak
            self.gate_peak = peak if self.gate_peak is None else self.gate_peak.maximum(peak)
        self._explain(states, found)
        if token_ids is not None:
            self._count_tokens(found, token_ids)

    def _count_tokens(self, found: Measurement, token_ids: Tensor) -> None:
        """Count the ids of strongest keys that are sinks; ids are aligned as positions are."""
        ids = token_ids.to(found.position.device).gather(-1, found.position)
        self.sink_tokens.update(ids[found.values["sink_any"] > 0].tolist())

    def _explain(self, states: AttentionStates, found: Measurement) -> None:
        if states.output_weight is None:
            self.missing["contribution"] = "the layer's output projection was not found"
        elif "contribution_first" not in found.values:
            self.missing["contribution"] = "an element gate on the query side does not factorise"
        if states.gate is None:
            self.missing["gate"] = "no gate of this library was seen in the layer"
        if found.values["delta_logit"].isnan().all():
            self.missing["delta_logit"] = "no query sees a key besides the first and its own"

    @property
    def gates(self) -> int:
        """Number of gates in the layer."""
        return 0 if self.gate_peak is None else self.gate_peak.numel()

    @property
    def dead_gates(self) -> int:
        """Number of those that never rose to `LOW`."""
        return 0 if self.gate_peak is None else int((self.gate_peak < LOW).sum())

    def report(self) -> LayerReport:
        """Return what was gathered."""
        return LayerReport(
            path=self.path,
            kind=self.kind,
            heads=self.heads,
            kv_heads=self.kv_heads,
            calls=self.calls,
            tokens=(self.tokens[0], self.tokens[1]),
            metrics={
                name: HeadEstimates(running.means().tolist(), running.half_widths().tolist())
                for name, running in self.metrics.items()
            },
            strongest=[_strongest(counter) for counter in self.positions],
            mass_profile=_cut(self.mass.means()),
            norm_profile=_cut(self.norms.means()),
            sink_tokens={str(token): n for token, n in self.sink_tokens.most_common(16)},
            gates=self.gates,
            dead_gates=self.dead_gates,
            missing=self.missing,
        )


class ActivationGather:
    """One module's outputs over all its calls."""

    def __init__(self, path: str, kind: str) -> None:
        self.path, self.kind = path, kind
        self.metrics: dict[str, Running] = {}
        self.peak: Tensor | None = None

    def add(self, found: ActivationMeasurement) -> None:
        """Add one call."""
        for name, values in found.values.items():
            self.metrics.setdefault(name, Running()).update(to_numpy(values))
        peak = found.channel_peak
        self.peak = peak if self.peak is None else self.peak.maximum(peak)

    def report(self) -> ActivationReport:
        """Return what was gathered."""
        assert self.peak is not None  # made for a call
        top = self.peak.topk(min(CHANNELS, len(self.peak)))
        channels = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        metrics = {name: running.estimate() for name, running in self.metrics.items()}
        return ActivationReport(self.path, self.kind, metrics, channels)


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor of any device as float64."""
    return tensor.detach().double().cpu().numpy()


def _profile(tensor: Tensor) -> NDArray[Any]:
    """Cut or pad (batch, heads, tokens) to `PROFILE` tokens, NaN beyond the sequence."""
    profile = np.full((*tensor.shape[:2], PROFILE), np.nan)
    kept = tensor[..., :PROFILE]
    profile[..., : kept.shape[-1]] = to_numpy(kept)
    return profile


def _cut(profile: NDArray[Any]) -> list[list[float]]:
    """Leave out positions that no sample had."""
    return profile[:, ~np.isnan(profile).all(axis=0)].tolist()


def _strongest(counter: Counter[int]) -> StrongestKey:
    position, count = counter.most_common(1)[0]
    return StrongestKey(position, count / counter.total())
