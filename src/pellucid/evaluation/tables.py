"""Result tables as rows of text, for the terminal and the report alike."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from pellucid.evaluation.checks import Check
from pellucid.evaluation.int8 import Int8Loss
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.protocol import Figure
from pellucid.evaluation.results import Summary
from pellucid.evaluation.run import OVER_NONE
from pellucid.untrusted import printable

METHOD_NAMES = {
    "untouched": "untouched input",
    "colour-oracle": "best colour fit to the truth (oracle)",
    "yang2019": "Yang et al. 2019, no training",
}

_COLUMNS = {
    "T PSNR": ("transmission.psnr", "{:.2f}"),
    "over the input": ("transmission.psnr_gain", "{:+.2f}"),
    "over no words": (OVER_NONE, "{:+.2f}"),
    "T SSIM": ("transmission.ssim", "{:.3f}"),
    "T colour-aligned": ("transmission.colour_aligned_psnr", "{:.2f}"),
    "T perceptual": ("transmission.perceptual_distance", "{:.4f}"),
    "T gradient error": ("transmission.gradient_error", "{:.4f}"),
    "R PSNR": ("reflection.psnr", "{:.2f}"),
    "R SSIM": ("reflection.ssim", "{:.3f}"),
    "T + R − M": ("recomposition_error", "{:.4f}"),
}


@dataclass(frozen=True)
class TextTable:
    """Titles and rows of equal length."""

    titles: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Return the table in Markdown, a line each row; nothing in a name becomes markup."""
        lines = [self.titles, ["---"] * len(self.titles), *self.rows]
        return "".join("| " + " | ".join(map(_markdown, line)) + " |\n" for line in lines)


def _markdown(text: str) -> str:
    return html.escape(printable(text), quote=False).replace("|", "\\|")


def summary_table(summary: Summary, *, intervals: bool = True) -> TextTable:
    """One row a run, with intervals or means alone; columns without any figure are left out."""
    columns = {
        title: column
        for title, column in _COLUMNS.items()
        if any(column[0] in run.figures for run in summary.runs)
    }
    rows = []
    for run in summary.runs:
        cells = [
            _cell(run.figures.get(measure), form, intervals=intervals)
            for measure, form in columns.values()
        ]
        rows.append([METHOD_NAMES.get(run.method, run.method), str(run.mode), *cells])
    return TextTable(["method", "words", *columns], rows)


def checks_table(checks: Sequence[Check]) -> TextTable:
    """One row a check."""
    titles = ["check", "mixtures", "figure", "at least", "aim", "met"]
    return TextTable(titles, [_check_row(check) for check in checks])


def int8_table(losses: Sequence[Int8Loss]) -> TextTable:
    """One row an 8-bit model and set."""
    titles = ["model", "set", "lost, no words", "lost, right words", "CPU s", "MB", "pays"]
    return TextTable(titles, [_int8_row(loss) for loss in losses])


def _int8_row(loss: Int8Loss) -> list[str]:
    return [
        f"{loss.architecture} {loss.weights_id}",
        loss.set_name,
        *(_cell(loss.loss.get(mode), "{:+.2f}") for mode in (Mode.NONE, Mode.RIGHT)),
        f"{loss.cpu_seconds:.3f} → {loss.int8_cpu_seconds:.3f}",
        f"{loss.bytes / 1e6:.1f} → {loss.int8_bytes / 1e6:.1f}",
        "yes" if loss.pays else "no",
    ]


def _check_row(check: Check) -> list[str]:
    met = {True: "yes", False: "no", None: "–"}[check.met]
    limits = ["–" if limit is None else f"{limit:g}" for limit in (check.at_least, check.aim)]
    figure = f"{_cell(check.figure, '{:.2f}')} {check.unit}"
    return [check.name, str(check.mixtures), figure, *limits, met]


def _cell(figure: Figure | None, form: str, *, intervals: bool = True) -> str:
    if figure is None:
        return "–"
    mean, low, high = (form.format(value) for value in (figure.mean, figure.low, figure.high))
    return f"{mean} [{low}, {high}]" if intervals else mean
