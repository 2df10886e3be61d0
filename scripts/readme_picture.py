"""Make the README's picture, examples/readme.jpg: the example photo and its two layers.

    python scripts/readme_picture.py

The descriptions are read from the README's main command, so that the picture shows what it does.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from panels import Layout, side_by_side
from PIL import Image

from pellucid import Separator

ROOT = Path(__file__).parents[1]
LAYOUT = Layout(width=420, gap=6, caption=30, font=15)


def descriptions(readme: str) -> dict[str, str]:
    command = re.search(r"pellucid separate examples/window\.jpg .*", readme)
    if command is None:
        raise SystemExit("README.md holds no main command")
    words = shlex.split(command[0])
    return {layer: words[words.index(f"--{layer}") + 1] for layer in ("transmission", "reflection")}


def main() -> None:
    photo = ROOT / "examples" / "window.jpg"
    words = descriptions((ROOT / "README.md").read_text(encoding="utf-8"))
    separation = Separator.load().separate(photo, **words)
    pictures = [
        (Image.open(photo), "the photo"),
        (separation.image("transmission"), f"transmission: “{words['transmission']}”"),
        (separation.image("reflection"), f"reflection: “{words['reflection']}”"),
    ]
    side_by_side(pictures, LAYOUT).save(ROOT / "examples" / "readme.jpg", quality=90)


if __name__ == "__main__":
    main()
