"""A report as one HTML page that needs nothing else: no script, no file, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from pellucid.attention.diagnostics.drawing import to_svg
from pellucid.attention.diagnostics.maps import report_maps
from pellucid.attention.diagnostics.report import Report
from pellucid.attention.estimates import Estimate

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem .2rem 0;text-align:left;
border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;font-variant-numeric:
tabular-nums}svg{max-width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif}
.label{fill:#555}.alarm{background:#8b1a1a;color:#fff;padding:.4rem .8rem}figure{margin:2rem 0}
figcaption{font-weight:600}.wide{overflow-x:auto}
"""


def to_html(report: Report, alarms: Sequence[str] = ()) -> str:
    """Return the page; everything that comes from the model or its tokens is escaped."""
    maps = "".join(
        f'<figure><figcaption>{escape(shown.title)}</figcaption><div class="wide">'
        f"{to_svg(shown)}</div></figure>"
        for shown in report_maps(report)
    )
    body = [
        f"<h1>Attention of {escape(report.model)}</h1>",
        f"<p>{report.samples} sequences in {report.batches} batches; a sink is a key with a mean "
        f"attention above ε = {report.epsilon:g}.</p>",
        *(f'<p class="alarm">{escape(alarm)}</p>' for alarm in alarms),
        "<h2>Summary</h2>",
        _table(("metric", "mean", "± 95 %", "samples"), _summary_rows(report.summary)),
        "<h2>Maps</h2>",
        maps,
        "<h2>Where sinks are</h2>",
        _table(("layer", "head", "strongest key", "in samples", "α"), _sink_rows(report)),
        "<h2>Tokens that are sinks</h2>",
        _table(("layer", "tokens (samples × heads)"), _token_rows(report)),
        "<h2>Activations</h2>",
        _table(
            ("module", "kurtosis", "max inf norm", "massive", "largest channels"),
            _activation_rows(report),
        ),
        "<h2>Not measured</h2>",
        _table(("module", "reason"), _missing_rows(report)),
        "<h2>How to read this</h2>",
        *(f"<p>{escape(note)}</p>" for note in report.notes),
        _table(("metric", "definition"), report.definitions.items()),
    ]
    title = escape(f"Attention of {report.model}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><tr>{cells}</tr>{lines}</table></div>'
        if lines
        else "<p>None.</p>"
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{"–" if math.isnan(value) else f"{value:.4g}"}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(str(value))}</td>"


def _summary_rows(summary: dict[str, Estimate]) -> Iterable[Sequence[object]]:
    for name, estimate in summary.items():
        yield name, estimate.mean, estimate.half_width, estimate.samples


def _sink_rows(report: Report) -> Iterable[Sequence[object]]:
    for layer in report.layers:
        rates = layer.metrics["sink_any"].mean
        alphas = layer.metrics["strongest_attention"].mean
        for head, (key, rate, alpha) in enumerate(zip(layer.strongest, rates, alphas, strict=True)):
            if rate >= 0.5:
                yield layer.path, head, key.position, f"{key.share:.0%}", alpha


def _token_rows(report: Report) -> Iterable[Sequence[object]]:
    for layer in report.layers:
        if layer.sink_tokens:
            yield layer.path, report.sink_tokens_of(layer)


def _activation_rows(report: Report) -> Iterable[Sequence[object]]:
    for block in report.activations:
        channels = ", ".join(f"#{channel} {peak:.3g}" for channel, peak in block.channels[:5])
        values = [block.metrics[name].mean for name in ("kurtosis", "inf_norm", "massive")]
        yield block.path, *values, channels


def _missing_rows(report: Report) -> Iterable[Sequence[object]]:
    yield from report.unmeasured.items()
    for layer in report.layers:
        for metric, reason in layer.missing.items():
            yield f"{layer.path}: {metric}", reason
