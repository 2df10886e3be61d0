"""Maps, grids of numbers, as PNG pictures and as inline SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

CELL_HEIGHT, LABEL_WIDTH, HEADER, MARGIN = 26, 200, 56, 12
# From paper white to deep blue; what does not exist is grey.
PAPER, INK, NOTHING = (250, 250, 247), (8, 48, 107), (214, 214, 210)


@dataclass(frozen=True)
class Map:
    """A grid of numbers.

    Attributes:
        name: file name without its suffix.
        title: what is shown.
        rows: labels.
        columns: labels.
        values: one row a label; NaN where there is nothing.
        low: number drawn in white.
        high: number drawn in blue.
        reverse: small numbers are the dark ones.
        numbers: write each number into its cell.

    """

    name: str
    title: str
    rows: list[str]
    columns: list[str]
    values: list[list[float]]
    low: float
    high: float
    reverse: bool = False
    numbers: bool = True

    def colour(self, value: float) -> tuple[int, int, int]:
        """Return the colour of a number."""
        if math.isnan(value):
            return NOTHING
        span = self.high - self.low
        share = min(1.0, max(0.0, (value - self.low) / span)) if span > 0 else 0.0
        share = 1.0 - share if self.reverse else share
        red, green, blue = (round(p + share * (i - p)) for p, i in zip(PAPER, INK, strict=True))
        return red, green, blue

    @property
    def cell_width(self) -> int:
        """Width of a cell in pixels."""
        return 46 if self.numbers else 12

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width = LABEL_WIDTH + self.cell_width * len(self.columns) + MARGIN
        return max(width, 420), HEADER + CELL_HEIGHT * len(self.rows) + MARGIN


def to_png(shown: Map) -> bytes:
    """Draw a map."""
    image = Image.new("RGB", shown.size, (255, 255, 255))
    draw = ImageDraw.Draw(image)
    font, small = ImageFont.load_default(15), ImageFont.load_default(12)
    draw.text((MARGIN, 8), shown.title, fill=(20, 20, 20), font=font)
    width = shown.cell_width
    for index, label in enumerate(shown.columns):
        if shown.numbers or index % 5 == 0:
            draw.text((LABEL_WIDTH + index * width, 36), label, fill=(80, 80, 80), font=small)
    for row, label in enumerate(shown.rows):
        top = HEADER + row * CELL_HEIGHT
        draw.text((MARGIN, top + 5), label[-30:], fill=(60, 60, 60), font=small)
        for column, value in enumerate(shown.values[row]):
            left = LABEL_WIDTH + column * width
            box = (left, top, left + width - 2, top + CELL_HEIGHT - 3)
            draw.rectangle(box, fill=shown.colour(value))
            text = _text(shown, value)
            draw.text((left + 5, top + 5), text, fill=_text_colour(shown, value), font=small)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def to_svg(shown: Map) -> str:
    """Draw a map as an SVG element; each cell tells its number under the pointer."""
    width, height = shown.size
    cell = shown.cell_width
    parts = [
        f'<svg role="img" aria-label="{escape(shown.title)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">'
    ]
    for index, label in enumerate(shown.columns):
        if shown.numbers or index % 5 == 0:
            x = LABEL_WIDTH + index * cell
            parts.append(f'<text class="label" x="{x}" y="{HEADER - 8}">{escape(label)}</text>')
    for row, label in enumerate(shown.rows):
        top = HEADER + row * CELL_HEIGHT
        parts.append(
            f'<text class="label" x="{MARGIN}" y="{top + 16}">{escape(label[-30:])}</text>'
        )
        for column, value in enumerate(shown.values[row]):
            parts.append(_svg_cell(shown, row, column, value))
    return "".join([*parts, "</svg>"])


def _svg_cell(shown: Map, row: int, column: int, value: float) -> str:
    left, top = LABEL_WIDTH + column * shown.cell_width, HEADER + row * CELL_HEIGHT
    number = "not measured" if math.isnan(value) else f"{value:.4g}"
    hint = escape(f"{shown.rows[row]}, {shown.columns[column]}: {number}")
    text = escape(_text(shown, value))
    colour = _hex(_text_colour(shown, value))
    written = f'<text x="{left + 5}" y="{top + 16}" fill="{colour}">{text}</text>' if text else ""
    return (
        f'<g><title>{hint}</title><rect x="{left}" y="{top}" width="{shown.cell_width - 2}" '
        f'height="{CELL_HEIGHT - 3}" fill="{_hex(shown.colour(value))}"/>{written}</g>'
    )


def _text(shown: Map, value: float) -> str:
    if math.isnan(value) or not shown.numbers:
        return ""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:.3g}"


def _text_colour(shown: Map, value: float) -> tuple[int, int, int]:
    dark = sum(shown.colour(value)) < 380
    return (255, 255, 255) if dark else (20, 20, 20)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
