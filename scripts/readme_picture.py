"""Make the README's picture, examples/readme.jpg: the example photo, its two layers, and a word.

    python scripts/readme_picture.py

The descriptions are read from the README's main command, so that the picture shows what it does.
The word whose place is shown is the one that acted most: nobody chooses it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pellucid import Separator
from pellucid.separation import WordMap

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


def where(photo: Image.Image, word: WordMap) -> Image.Image:
    """Lay a word's map over the photo in grey, red where it acted most."""
    weight = Image.fromarray(word.weight / word.weight.max()).resize(
        photo.size, Image.Resampling.BICUBIC
    )
    share = Image.fromarray((200 * np.clip(np.asarray(weight), 0, 1)).astype(np.uint8))
    return Image.composite(
        Image.new("RGB", photo.size, (255, 40, 0)), photo.convert("L").convert("RGB"), share
    )


def main() -> None:
    path = ROOT / "examples" / "window.jpg"
    photo = Image.open(path).convert("RGB")
    words = descriptions((ROOT / "README.md").read_text(encoding="utf-8"))
    separation = Separator.load().separate(path, **words)
    maps = separation.word_maps.transmission + separation.word_maps.reflection
    most = max(maps, key=lambda word: word.weight.max())
    panels = [
        panel(photo, "the photo"),
        panel(where(photo, most), f"where the word “{most.word}” acted"),
        panel(separation.image("transmission"), f"transmission: “{words['transmission']}”"),
        panel(separation.image("reflection"), f"reflection: “{words['reflection']}”"),
    ]
    width, height = WIDTH + GAP, panels[0].height
    sheet = Image.new("RGB", (2 * width - GAP, 2 * height), "white")
    for place, part in enumerate(panels):
        sheet.paste(part, (place % 2 * width, place // 2 * height))
    sheet.save(ROOT / "examples" / "readme.jpg", quality=90)


if __name__ == "__main__":
    main()
