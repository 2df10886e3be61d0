"""A report as tables for a terminal."""

from __future__ import annotations

import math

from rich.table import Table
from rich.text import Text

from pellucid.attention.diagnostics.report import LayerReport, Report
from pellucid.untrusted import printable


def summary_table(report: Report) -> Table:
    """Return the model's numbers."""
    samples = f"{report.samples} sequences, ε = {report.epsilon:g}"
    title = _plain(f"Attention of {report.model}: {samples}")
    table = Table("metric", title=title)
    table.add_column("mean", justify="right")
    table.add_column("± 95 %", justify="right")
    for name, estimate in report.summary.items():
        table.add_row(name, _number(estimate.mean), _number(estimate.half_width))
    return table


def layer_table(report: Report) -> Table:
    """Return a row a layer: means over its heads, and the head that is the strongest sink."""
    table = Table("layer", "α first", "sinks", "strongest head", "Δlogit", "sink tokens")
    for layer in report.layers:
        table.add_row(
            _plain(layer.path or layer.kind),
            _number(_mean(layer, "first_attention")),
            _number(_mean(layer, "sink_any")),
            _strongest(layer),
            _number(_mean(layer, "delta_logit")),
            _plain(report.sink_tokens_of(layer)),
        )
    for path, reason in report.unmeasured.items():
        table.add_row(_plain(path), _plain(f"not measured: {reason}", style="yellow"))
    return table


def _plain(text: str, style: str = "") -> Text:
    """Return text of a model or its tokens: no markup, and nothing that steers a terminal."""
    return Text(printable(text), style=style)


def _mean(layer: LayerReport, metric: str) -> float:
    known = [value for value in layer.metrics[metric].mean if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _strongest(layer: LayerReport) -> str:
    alphas = layer.metrics["strongest_attention"].mean
    head = max(range(len(alphas)), key=lambda index: alphas[index])
    key = layer.strongest[head]
    return f"{head}: α {alphas[head]:.2f} at {key.position} ({key.share:.0%})"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"
