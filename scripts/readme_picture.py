"""Make the README's picture, examples/readme.jpg: the example photo and its two layers.

    python scripts/readme_picture.py

The descriptions are read from the README's main command, so that the picture shows what it does.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pellucid import Separator

ROOT = Path(__file__).parents[1]
WIDTH, GAP, CAPTION = 420, 6, 30


def descriptions(readme: str) -> dict[str, str]:
    command = re.search(r"pellucid separate examples/window\.jpg .*", readme)
    if command is None:
        raise SystemExit("README.md holds no main command")
    words = shlex.split(command[0])
    return {layer: words[words.index(f"--{layer}") + 1] for layer in ("transmission", "reflection")}


def panel(image: Image.Image, caption: str) -> Image.Image:
    height = round(WIDTH * image.height / image.width)
    framed = Image.new("RGB", (WIDTH, height + CAPTION), "white")
    framed.paste(image.resize((WIDTH, height), Image.Resampling.LANCZOS))
    draw = ImageDraw.Draw(framed)
    place = (WIDTH / 2, height + CAPTION / 2)
    draw.text(place, caption, fill="black", anchor="mm", font=ImageFont.load_default(15))
    return framed


def main() -> None:
    photo = ROOT / "examples" / "window.jpg"
    words = descriptions((ROOT / "README.md").read_text(encoding="utf-8"))
    separation = Separator.load().separate(photo, **words)
    panels = [
        panel(Image.open(photo).convert("RGB"), "the photo"),
        panel(separation.image("transmission"), f"transmission: “{words['transmission']}”"),
        panel(separation.image("reflection"), f"reflection: “{words['reflection']}”"),
    ]
    sheet = Image.new("RGB", (3 * WIDTH + 2 * GAP, panels[0].height), "white")
    for place, part in enumerate(panels):
        sheet.paste(part, (place * (WIDTH + GAP), 0))
    sheet.save(ROOT / "examples" / "readme.jpg", quality=90)


if __name__ == "__main__":
    main()
