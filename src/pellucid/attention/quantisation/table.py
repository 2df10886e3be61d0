"""A quantisation report as tables for a terminal."""

from __future__ import annotations

import math

from rich.table import Table
from rich.text import Text

from pellucid.attention.estimates import Estimate
from pellucid.attention.quantisation.report import QuantisationReport, SchemeReport


def scheme_table(report: QuantisationReport) -> Table:
    """Return a row a configuration, with its figures."""
    title = f"Quantisation of {report.model}: {report.seeds} calibrations, {report.samples} samples"
    rows = [(str(scheme.config), scheme.figures) for scheme in report.schemes]
    return _estimates(title, list(report.definitions), rows)


def part_table(report: QuantisationReport) -> Table:
    """Return a row a configuration, with the cost of each part of the model alone."""
    rows = [(str(scheme.config), scheme.parts) for scheme in report.schemes]
    return _estimates(f"{report.cost} of parts alone", list(report.schemes[0].parts), rows)


def site_table(report: QuantisationReport, scheme: SchemeReport, most: int = 10) -> Table:
    """Return the sites that cost most when they alone are quantised."""
    table = Table("module", title=Text(f"{scheme.config}: what costs most"))
    columns = (f"{report.cost}, alone", "weight, dB", "worst activation, dB", "output, dB")
    for name in columns:
        table.add_column(name, justify="right")
    for site in scheme.costliest()[:most]:
        name, worst = min(site.activation_db.items(), key=lambda item: _known(item[1]))
        table.add_row(
            Text(site.path),
            show_estimate(site.cost),
            _decibels(site.weight_db),
            f"{_decibels(worst)} {name}",
            _decibels(site.output_db),
        )
    return table


def _estimates(title: str, names: list[str], rows: list[tuple[str, dict[str, Estimate]]]) -> Table:
    table = Table("bits", title=Text(title))
    for name in names:
        table.add_column(name, justify="right")
    for bits, estimates in rows:
        table.add_row(bits, *(show_estimate(estimates[name]) for name in names))
    return table


def show_estimate(estimate: Estimate) -> str:
    """Return a mean and its half width as text."""
    if math.isnan(estimate.mean):
        return "–"
    wide = "" if math.isnan(estimate.half_width) else f" ± {estimate.half_width:.2g}"
    return f"{estimate.mean:.4g}{wide}"


def _known(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "–"
