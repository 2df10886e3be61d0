"""Pictures side by side, each with a caption below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels: a picture's width, the gap between two, a caption's height, its letters."""

    width: int
    gap: int
    caption: int
    font: float


def side_by_side(pictures: Sequence[tuple[Image.Image, str]], layout: Layout) -> Image.Image:
    """Return one picture of all, white where there is none; they are of one shape."""
    panels = [_panel(picture.convert("RGB"), caption, layout) for picture, caption in pictures]
    step = layout.width + layout.gap
    sheet = Image.new("RGB", (len(panels) * step - layout.gap, panels[0].height), "white")
    for place, panel in enumerate(panels):
        sheet.paste(panel, (place * step, 0))
    return sheet


def _panel(picture: Image.Image, caption: str, layout: Layout) -> Image.Image:
    height = round(layout.width * picture.height / picture.width)
    framed = Image.new("RGB", (layout.width, height + layout.caption), "white")
    framed.paste(picture.resize((layout.width, height), Image.Resampling.LANCZOS))
    place = (layout.width / 2, height + layout.caption / 2)
    font = ImageFont.load_default(layout.font)
    ImageDraw.Draw(framed).text(place, caption, fill="black", anchor="mm", font=font)
    return framed
