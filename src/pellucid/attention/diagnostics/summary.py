"""One number a metric for the whole model, with its confidence interval over samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pellucid.attention.diagnostics.gather import ActivationGather, LayerGather, to_numpy
from pellucid.attention.diagnostics.running import Running
from pellucid.attention.estimates import Estimate

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "sink_drain": "drain_strongest of those strongest keys that are sinks (α > ε).",
        "max_activation": "mean over modules of max|h|: M-Act (Gated Attention, NeurIPS 2025).",
        "dead_gates": "share of gates that never rose to 0.05 on the tokens seen.",
    }
)


class BatchSummary:
    """The metrics of one forward pass: one number a sample and layer."""

    def __init__(self) -> None:
        self.metrics: dict[str, dict[str, list[NDArray[Any]]]] = {}

    def add(self, path: str, values: dict[str, Tensor]) -> None:
        """Add a call's (batch, heads) metrics, meaned over heads."""
        arrays = {name: to_numpy(tensor) for name, tensor in values.items()}
        drain = np.where(arrays["sink_any"] > 0, arrays["drain_strongest"], np.nan)
        for name, array in (arrays | {"sink_drain": drain}).items():
            self._add(name, path, _mean(array, axis=1))

    def add_activations(self, path: str, values: dict[str, Tensor]) -> None:
        """Add a call's (batch,) metrics."""
        for name, tensor in values.items():
            self._add(name, path, to_numpy(tensor))

    def _add(self, name: str, path: str, values: NDArray[Any]) -> None:
        self.metrics.setdefault(name, {}).setdefault(path, []).append(values)

    def samples(self) -> int:
        """Return how many sequences the first layer saw."""
        layers = self.metrics.get("first_attention", {})
        return max((len(calls[0]) for calls in layers.values()), default=0)

    def per_sample(self) -> dict[str, NDArray[Any]]:
        """Return each metric's mean over layers and calls, one number a sample.

        Where layers see different numbers of sequences (windows of a vision model), the samples
        cannot be told apart, and the batch counts as one.
        """
        result = {}
        for name, layers in self.metrics.items():
            rows = [row for calls in layers.values() for row in calls]
            if len({len(row) for row in rows}) == 1:
                result[name] = _mean(np.stack(rows), axis=0)
            else:
                result[name] = _mean(np.array([_mean(row, axis=0) for row in rows]), axis=0)[None]
        return result


class Summary:
    """The metrics of all forward passes."""

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}

    def add(self, batch: BatchSummary) -> None:
        """Add one forward pass."""
        for name, values in batch.per_sample().items():
            self.running.setdefault(name, Running()).update(values)

    def estimates(
        self, layers: Iterable[LayerGather], blocks: Iterable[ActivationGather]
    ) -> dict[str, Estimate]:
        """Return the model's numbers.

        Metrics of heads are means over samples, layers and heads; `sink_drain` is the drain ratio
        of those strongest keys that are sinks. Of activations, kurtosis is a mean over samples and
        modules, `max_activation` (M-Act) likewise of max|h|, `inf_norm` the largest of the modules'
        means, `massive` the number a sample and module.
        """
        result = {name: running.estimate() for name, running in self.running.items()}
        if "inf_norm" in result:
            result["max_activation"] = result["inf_norm"]
            norms = [block.metrics["inf_norm"].estimate() for block in blocks]
            result["inf_norm"] = max(norms, key=lambda norm: norm.mean)
        gated = [layer for layer in layers if layer.gates]
        if gated:
            dead = sum(layer.dead_gates for layer in gated)
            share = dead / sum(layer.gates for layer in gated)
            result["dead_gates"] = Estimate(share, float("nan"), len(gated))
        return result


def _mean(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Mean of what is not NaN, NaN where all is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
