"""Pictures in rows, each with a caption below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True)
class Layout:
    """Pictures to a row; in pixels: their width, the gap between two, captions' height, letters."""

    columns: int
    width: int
    gap: int
    caption: int
    font: float


def sheet(pictures: Sequence[tuple[Image.Image, str]], layout: Layout) -> Image.Image:
    """Return one picture of all, which have one shape; white between them."""
    panels = [_panel(picture.convert("RGB"), caption, layout) for picture, caption in pictures]
    columns, width, height = layout.columns, layout.width + layout.gap, panels[0].height
    rows = -(-len(panels) // columns)
    whole = Image.new("RGB", (columns * width - layout.gap, rows * height), "white")
    for place, panel in enumerate(panels):
        whole.paste(panel, (place % columns * width, place // columns * height))
    return whole


def _panel(picture: Image.Image, caption: str, layout: Layout) -> Image.Image:
    height = round(layout.width * picture.height / picture.width)
    framed = Image.new("RGB", (layout.width, height + layout.caption), "white")
    framed.paste(picture.resize((layout.width, height), Image.Resampling.LANCZOS))
    place = (layout.width / 2, height + layout.caption / 2)
    font = ImageFont.load_default(layout.font)
    ImageDraw.Draw(framed).text(place, caption, fill="black", anchor="mm", font=font)
    return framed
