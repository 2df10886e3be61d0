"""Which maps a report has to show."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pellucid.attention.diagnostics.drawing import Map
from pellucid.attention.diagnostics.report import LayerReport, Report


def report_maps(report: Report) -> list[Map]:
    """Return the maps of a report that have something to show."""
    maps = [
        _head_map(report, "strongest-map", "Attention on the strongest key", "strongest_attention"),
        _head_map(report, "first-map", "Attention on the first token", "first_attention"),
        _head_map(
            report,
            "contribution-map",
            "Share of the strongest key in the output",
            "contribution_strongest",
        ),
        _head_map(
            report,
            "drain-map",
            "Value norm of the strongest key / median",
            "drain_strongest",
            reverse=True,
        ),
        _head_map(report, "gate-low-map", "Share of gates below 0.05", "gate_low"),
        _profile_map(
            report, "mass-profile", "Attention by position, mean over heads", _mean_attention
        ),
        _profile_map(
            report,
            "value-norms",
            "Value norm / its median, by position, mean over heads",
            _mean_relative_norm,
            high=2.0,
        ),
        _channel_map(report),
    ]
    return [found for found in maps if found is not None]


def _head_map(
    report: Report, name: str, title: str, metric: str, *, reverse: bool = False
) -> Map | None:
    layers = [layer for layer in report.layers if metric in layer.metrics]
    if not layers:
        return None
    values = _rectangle([layer.metrics[metric].mean for layer in layers])
    columns = [f"h{head}" for head in range(len(values[0]))]
    rows = [layer.path or layer.kind for layer in layers]
    return Map(name, title, rows, columns, values, 0.0, 1.0, reverse=reverse)


def _profile_map(
    report: Report,
    name: str,
    title: str,
    profile: Callable[[LayerReport], list[float]],
    *,
    high: float | None = None,
) -> Map | None:
    values = _rectangle([profile(layer) for layer in report.layers])
    if not values[0]:
        return None
    columns = [str(position) for position in range(len(values[0]))]
    rows = [layer.path or layer.kind for layer in report.layers]
    high = _largest(values) if high is None else high
    return Map(name, title, rows, columns, values, 0.0, high, numbers=False)


def _mean_attention(layer: LayerReport) -> list[float]:
    return np.array(layer.mass_profile, dtype=float).mean(axis=0).tolist()


def _mean_relative_norm(layer: LayerReport) -> list[float]:
    norms = np.array(layer.norm_profile, dtype=float)
    return (norms / np.nanmedian(norms, axis=1, keepdims=True)).mean(axis=0).tolist()


def _channel_map(report: Report) -> Map | None:
    blocks = report.activations
    if not blocks:
        return None
    peaks: dict[int, float] = {}
    for block in blocks:
        for channel, peak in block.channels:
            peaks[channel] = max(peak, peaks.get(channel, 0.0))
    top = sorted(peaks, key=lambda channel: -peaks[channel])[:12]
    values = [[dict(block.channels).get(channel, math.nan) for channel in top] for block in blocks]
    rows = [block.path or block.kind for block in blocks]
    title = "Largest |h| by channel, where it is among the module's first eight"
    return Map("channels", title, rows, [f"#{c}" for c in top], values, 0.0, _largest(values))


def _rectangle(rows: list[list[float]]) -> list[list[float]]:
    width = max(len(row) for row in rows)
    return [row + [math.nan] * (width - len(row)) for row in rows]


def _largest(values: list[list[float]]) -> float:
    return max((number for row in values for number in row if not math.isnan(number)), default=1.0)
