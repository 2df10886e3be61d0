"""Line charts as SVG: panels side by side, a line a group, a band from the least to the most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Okabe and Ito's colours, which people with any colour vision can tell apart, and two more.
COLOURS = (
    *("#000000", "#d55e00", "#e69f00", "#0072b2", "#009e73"),
    *("#cc79a7", "#56b4e9", "#7f7f7f", "#882255", "#999933"),
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP, _LEGEND = 230, 150, 44, 30, 26, 18


@dataclass(frozen=True)
class Line:
    """One group's curve.

    Attributes:
        label: its name in the legend.
        steps: x.
        low: y of the lowest seed.
        mean: mean over seeds.
        high: y of the highest seed.

    """

    label: str
    steps: Sequence[float]
    low: Sequence[float]
    mean: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: what is shown.
        lines: in the order of the legend; every panel of a figure has the same groups, and a group
            without values keeps its place with empty sequences.
        logarithmic: y is on a logarithmic scale.

    """

    title: str
    lines: Sequence[Line]
    logarithmic: bool = False


def figure(panels: Sequence[Panel], columns: int = 3) -> str:
    """Draw panels in rows of `columns`, with one legend below; at most ten lines a panel."""
    rows = math.ceil(len(panels) / columns)
    width = columns * (_LEFT + _WIDTH) + 12
    top = rows * (_TOP + _HEIGHT + _GAP)
    legend, height = _legend([line.label for line in panels[0].lines], top, width)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="system-ui,sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        x, y = column * (_LEFT + _WIDTH) + _LEFT, row * (_TOP + _HEIGHT + _GAP) + _TOP
        parts.append(f'<g transform="translate({x} {y})">{_draw(panel)}</g>')
    return "\n".join([*parts, legend, "</svg>\n"])


def _draw(panel: Panel) -> str:
    scale = _Scale.around(panel)
    parts = [f'<text y="-8" font-weight="600">{escape(panel.title)}</text>', scale.axes()]
    for line, colour in zip(panel.lines, COLOURS[: len(panel.lines)], strict=True):
        if line.steps:
            band = (
                scale.path(line.steps, line.high)
                + " L "
                + scale.path(line.steps[::-1], line.low[::-1]).removeprefix("M ")
            )
            parts.append(f'<path d="{band} Z" fill="{colour}" opacity=".15"/>')
            mean = scale.path(line.steps, line.mean)
            parts.append(f'<path d="{mean}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    return "".join(parts)


def _legend(labels: Sequence[str], top: int, width: int) -> tuple[str, int]:
    """Return the legend, in as many rows as it needs, and where it ends."""
    parts, x, y = [], _LEFT, top + _LEGEND
    for label, colour in zip(labels, COLOURS[: len(labels)], strict=True):
        length = 40 + 6 * len(label)
        if x + length > width:
            x, y = _LEFT, y + _LEGEND
        parts.append(
            f'<path d="M {x} {y - 4} h 18" stroke="{colour}" stroke-width="3"/>'
            f'<text x="{x + 22}" y="{y}">{escape(label)}</text>'
        )
        x += length
    return "".join(parts), y + 10


@dataclass(frozen=True)
class _Scale:
    """From steps and figures to pixels."""

    last: float
    low: float
    high: float
    logarithmic: bool

    @classmethod
    def around(cls, panel: Panel) -> _Scale:
        values = [v for line in panel.lines for v in (*line.low, *line.high)]
        last = max((line.steps[-1] for line in panel.lines if line.steps), default=0.0) or 1.0
        if panel.logarithmic:
            positive = [v for v in values if v > 0] or [1.0]
            low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
            return cls(last, low, max(high, low + 1), True)
        low, high = min([0.0, *values]), max([*values, 1e-9])
        step = _nice((high - low) / 4)
        return cls(last, math.floor(low / step) * step, math.ceil(high / step) * step, False)

    def y(self, value: float) -> float:
        if self.logarithmic:
            value = math.log10(max(value, 10.0**self.low))
        return _HEIGHT * (1 - (value - self.low) / (self.high - self.low))

    def path(self, steps: Sequence[float], values: Sequence[float]) -> str:
        places = zip(steps, values, strict=True)
        return "M " + " L ".join(
            f"{_WIDTH * step / self.last:.0f} {self.y(value):.1f}" for step, value in places
        )

    def axes(self) -> str:
        parts = []
        for value, label in self._ticks():
            y = self.y(value)
            parts.append(
                f'<path d="M 0 {y:.1f} H {_WIDTH}" stroke="#ddd"/>'
                f'<text x="-5" y="{y + 4:.1f}" text-anchor="end" fill="#555">{label}</text>'
            )
        for share in (0, 0.5, 1):
            x, step = _WIDTH * share, self.last * share
            parts.append(
                f'<text x="{x:.0f}" y="{_HEIGHT + 14}" text-anchor="middle" fill="#555">'
                f"{step:g}</text>"
            )
        return "".join(parts)

    def _ticks(self) -> list[tuple[float, str]]:
        if self.logarithmic:
            every = max(1, round((self.high - self.low) / 5))
            powers = range(int(self.low), int(self.high) + 1, every)
            return [(10.0**power, f"1e{power}") for power in powers]
        step = _nice((self.high - self.low) / 4)
        count = round((self.high - self.low) / step)
        return [(self.low + i * step, f"{self.low + i * step:.4g}") for i in range(count + 1)]


def _nice(step: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * 0.999)
