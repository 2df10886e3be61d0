"""A gallery of what the shipped model does, with its failures.

    python scripts/gallery.py                        the drawn scenes of docs/separation.md
    python scripts/gallery.py photos -o sheet.html   your own photos, on one HTML page
    python scripts/gallery.py photos --words w.csv   with words, as `pellucid batch` reads them

The drawn scenes are made from the two pictures of `examples/make_example.py`, so that the true
layers are known and the pictures may be published. Writes `docs/pictures/gallery/*.jpg`,
`results/gallery.json` and the gallery's part of `docs/separation.md`.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from marked import fill
from numpy.typing import NDArray
from panels import Layout, sheet
from PIL import Image

from pellucid import Separator
from pellucid.batch.tasks import is_photo
from pellucid.batch.words import Words, read_table
from pellucid.errors import PellucidError
from pellucid.files import appearing_whole
from pellucid.separation import Separation

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))

from make_example import SEED, decode, encode, room, street, through_glass  # noqa: E402

PICTURES = ROOT / "docs" / "pictures" / "gallery"
DOCUMENT = ROOT / "docs" / "separation.md"
RESULT = ROOT / "results" / "gallery.json"
LAYOUT = Layout(columns=4, width=230, gap=4, caption=20, font=12)
TELLS_APART, MOST_LOST = 2.0, 0.2
"""In a success, the share of the reflection's detail that is taken is this many times that of the
truth's; where nothing is mirrored, the share of the truth's detail that may be lost."""
DETAIL = 12
"""Detail is what is finer than a blur of about this many pixels."""
LARGEST = 560
"""Pixels of the longer side of a picture on the page of own photos."""

Light = NDArray[np.float64]

ROOM = "a living room with a lamp and an armchair"
STREET = "houses, a tree and a car in the street"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Layers</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fafafa }
section { display: flex; flex-wrap: wrap; gap: 12px; border-top: 1px solid #ccc; padding: 12px 0 }
h2, p { flex-basis: 100%; margin: 0 } figure { margin: 0; width: 30% } img { width: 100% }
</style></head><body>
"""


@dataclass(frozen=True)
class Scene:
    """A drawn photo whose light from behind the glass is known."""

    name: str
    told: str
    behind: Light
    """(H, W, 3) linear light that came through the glass."""
    mirrored: Light
    words: Words = field(default_factory=Words)


def scenes() -> list[Scene]:
    inside, outside = room(), street()
    window = through_glass(inside, outside)
    through, mirrored = 0.9 * inside, window - 0.9 * inside
    both = Words(ROOM, STREET)
    return [
        Scene("no-words", "a window, no words", through, mirrored),
        Scene("words", "the same, words for both layers", through, mirrored, both),
        Scene("swapped", "the same, words swapped", through, mirrored, Words(STREET, ROOM)),
        Scene("soft", "a soft veil, no words", 0.9 * inside, 0.3 * blurred(outside, 12)),
        Scene("sharp", "a sharp reflection, words", 0.8 * inside, 0.35 * outside, both),
        Scene("strong", "stronger than the room, words", 0.4 * inside, 0.6 * mirrored / 0.3, both),
        Scene(
            "other-way",
            "a room mirrored before a street, words",
            0.8 * outside,
            0.4 * blurred(inside, 3),
            Words(STREET, ROOM),
        ),
        Scene("no-glass", "no glass at all, no words", inside, 0 * inside),
    ]


def blurred(light: Light, sigma: int) -> Light:
    """Defocus by three box filters, which are nearly a Gaussian."""
    for _ in range(3):
        for axis in (0, 1):
            edges = [(0, 0)] * 3
            edges[axis] = (sigma, sigma)
            sums = np.cumsum(np.pad(light, edges, mode="edge"), axis=axis)
            first = np.take(sums, [0], axis=axis) * 0
            sums = np.concatenate((first, sums), axis=axis)
            width = 2 * sigma
            size = light.shape[axis]
            ahead = np.take(sums, range(width, width + size), axis=axis)
            light = (ahead - np.take(sums, range(size), axis=axis)) / width
    return light


def as_camera(light: Light) -> Image.Image:
    """Encode with a little sensor noise, always the same."""
    noise = np.random.default_rng(SEED + 2).normal(0, 0.006, light.shape)
    codes = np.clip(encode(light) + noise, 0, 1) * 255
    return Image.fromarray(np.round(codes).astype(np.uint8))


def detail(light: Light) -> Light:
    return light - blurred(light, DETAIL)


def left_and_lost(transmission: Light, scene: Scene) -> tuple[float | None, float]:
    """Share of the reflection's detail that is still there, and of the truth's that is gone.

    Least squares of the transmission's detail over those of both true layers, in linear light;
    None where nothing is mirrored.
    """
    parts = [detail(scene.behind)]
    if scene.mirrored.any():
        parts.append(detail(scene.mirrored))
    columns = np.stack([part.ravel() for part in parts], axis=1)
    kept, *left = np.linalg.lstsq(columns, detail(transmission).ravel(), rcond=None)[0]
    return (float(left[0]) if left else None), float(1 - kept)


def try_scene(scene: Scene, separator: Separator) -> dict[str, str | float | bool | None]:
    """Separate a scene, draw its panels and return what came of it."""
    photo = as_camera(scene.behind + scene.mirrored)
    words = scene.words
    made = separator.separate(photo, transmission=words.transmission, reflection=words.reflection)
    layer = made.image("transmission")
    left, lost = left_and_lost(decode(np.asarray(layer) / 255), scene)
    captions = ["the photo", "transmission", "reflection", "true transmission"]
    pictures = [photo, layer, made.image("reflection"), as_camera(scene.behind)]
    whole = sheet(list(zip(pictures, captions, strict=True)), LAYOUT)
    whole.save(PICTURES / f"{scene.name}.jpg", quality=64)
    return {
        "name": scene.name,
        "told": scene.told,
        "left": None if left is None else round(left, 3),
        "lost": round(lost, 3),
        "success": lost <= (MOST_LOST if left is None else (1 - left) / TELLS_APART),
    }


def entry(row: dict[str, str | float | bool | None]) -> str:
    lost = f"{row['lost']:.0%} of the truth's detail lost"
    told = (
        lost
        if row["left"] is None
        else f"{row['left']:.0%} of the reflection's detail left, {lost}"
    )
    return f"**{row['told']}**: {told}\n\n![{row['told']}](pictures/gallery/{row['name']}.jpg)\n"


def write_gallery(rows: list[dict[str, str | float | bool | None]]) -> None:
    parts = []
    for title, success in (("### Where it works", True), ("### Where it does not", False)):
        own = [entry(row) for row in rows if row["success"] is success]
        parts += [title, "", *(own or ["None of these scenes.\n"])]
    fill(DOCUMENT, {"gallery: scripts/gallery.py": "\n".join(parts)})


def draw() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    separator = Separator.load(threads=1)
    rows = [try_scene(scene, separator) for scene in scenes()]
    RESULT.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    write_gallery(rows)


def figure(image: Image.Image, caption: str) -> str:
    image = image.convert("RGB")
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def section(name: str, words: Words, made: Separation | PellucidError) -> str:
    told = f"behind: {words.transmission or '–'}; mirrored: {words.reflection or '–'}"
    parts = [f"<section><h2>{html.escape(name)}</h2><p>{html.escape(told)}</p>"]
    if isinstance(made, PellucidError):
        parts.append(f"<p>{html.escape(str(made))}</p>")
    else:
        parts.append(figure(made.source.image(), "the photo"))
        parts += [figure(made.image(layer), layer) for layer in ("transmission", "reflection")]
    return "\n".join([*parts, "</section>\n"])


def show(photos: Path, table: dict[str, Words], output: Path) -> None:
    """Write one page of a folder's photos and their layers."""
    separator = Separator.load()
    with appearing_whole(output) as partial, partial.open("w", encoding="utf-8") as page:
        page.write(PAGE)
        for path in sorted(path for path in photos.iterdir() if is_photo(path.name)):
            words = table.get(path.name, Words())
            try:
                made = separator.separate(
                    path, transmission=words.transmission, reflection=words.reflection
                )
            except PellucidError as error:
                made = error
            page.write(section(path.name, words, made))
        page.write("</body></html>\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", nargs="?", type=Path, help="a folder; without: the drawn scenes")
    parser.add_argument("--words", type=Path, help="a table of words, see docs/batch.md")
    parser.add_argument("-o", "--output", type=Path, default=Path("gallery.html"))
    asked = parser.parse_args()
    if asked.photos is None:
        draw()
    else:
        show(asked.photos, read_table(asked.words) if asked.words else {}, asked.output)


if __name__ == "__main__":
    main()
