"""Draw the example photo: a living room behind a window in which the street is mirrored.

    python examples/make_example.py

writes window.jpg beside this file. Everything is drawn here from shapes and noise, so the picture
is nobody's but the project's: CC0 1.0, see LICENSE.txt beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = (720, 480)
FINE = 3
"""Shapes are drawn this many times larger and averaged down, so that edges are smooth."""
SEED = 20240211

Light = NDArray[np.float64]
Point = tuple[float, float]
Shape = tuple[str, list[Point]]
"""Name of a method of ImageDraw and its points."""


class Cover(NamedTuple):
    """How much of each pixel in a part of the canvas a shape covers."""

    part: tuple[slice, slice]
    alpha: Light


class Canvas:
    """Draws shapes in units of the final picture, each with its own texture."""

    def __init__(self, seed: int) -> None:
        width, height = (side * FINE for side in SIZE)
        self.light: Light = np.zeros((height, width, 3))
        self.rng = np.random.default_rng(seed)

    def mask(self, *shapes: Shape, soft: float = 0) -> Cover:
        """Cover of shapes, their edges blurred by soft."""
        points = FINE * np.array([point for _, corners in shapes for point in corners])
        margin = 3 * soft * FINE + 2
        height, width = self.light.shape[:2]
        left, top = np.clip(np.floor(points.min(0) - margin), 0, (width - 1, height - 1)).astype(
            int
        )
        right, bottom = np.clip(np.ceil(points.max(0) + margin), 1, (width, height)).astype(int)
        image = Image.new("L", (right - left, bottom - top))
        draw = ImageDraw.Draw(image)
        for name, corners in shapes:
            local = [(x * FINE - left, y * FINE - top) for x, y in corners]
            getattr(draw, name)(local, fill=255)
        if soft:
            image = image.filter(ImageFilter.GaussianBlur(soft * FINE))
        return Cover((slice(top, bottom), slice(left, right)), np.asarray(image)[..., None] / 255)

    def paint(self, cover: Cover, colour: str | Light, grain: float = 0.1) -> None:
        """Paint a colour, '#rrggbb' or light, through a mask; grain varies it by noise."""
        light = parse(colour) if isinstance(colour, str) else colour
        shape = cover.alpha.shape[:2]
        texture = 1 + grain * (noise(self.rng, shape, 54) + noise(self.rng, shape, 9) - 1)
        under = self.light[cover.part]
        under += cover.alpha * (light * texture - under)

    def shade(self, cover: Cover, amount: float) -> None:
        """Darken (amount < 1) or brighten (amount > 1) what is under a mask."""
        self.light[cover.part] *= 1 + cover.alpha * (amount - 1)

    def picture(self) -> Light:
        """Average down to the final size."""
        height, width = SIZE[1], SIZE[0]
        return self.light.reshape(height, FINE, width, FINE, 3).mean(axis=(1, 3))


def noise(rng: np.random.Generator, shape: tuple[int, ...], cell: int) -> Light:
    """Smooth noise in [0, 1] of a (height, width) whose cells have this many pixels a side."""
    height, width = shape[:2]
    grid = rng.random((height // cell + 2, width // cell + 2)).astype(np.float32)
    smooth = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(smooth, np.float64), 0, 1)[..., None]


def parse(colour: str) -> Light:
    """Light of an sRGB colour '#rrggbb'."""
    return decode(np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]))


def decode(encoded: Light) -> Light:
    """Turn sRGB into linear light (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(light: Light) -> Light:
    """Turn linear light into sRGB (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def box(left: float, top: float, right: float, bottom: float) -> Shape:
    """Return a rectangle."""
    return "rectangle", [(left, top), (right, bottom)]


def disc(x: float, y: float, rx: float, ry: float | None = None) -> Shape:
    """Return an ellipse, or a circle without a second radius."""
    ry = rx if ry is None else ry
    return "ellipse", [(x - rx, y - ry), (x + rx, y + ry)]


def shape(*points: Point) -> Shape:
    """Return a polygon."""
    return "polygon", list(points)


def room() -> Light:
    """Draw a living room in the evening: shelf, picture, lamp, armchair, table with flowers."""
    canvas = Canvas(SEED)
    everything = canvas.mask(box(0, 0, *SIZE))
    canvas.paint(everything, "#b9a184", grain=0.08)
    for x in range(0, SIZE[0], 24):  # stripes of the wallpaper
        canvas.shade(canvas.mask(box(x, 0, x + 10, 340), soft=1), 0.9)
    _floor(canvas)
    _shelf(canvas)
    _painting(canvas)
    _armchair(canvas)
    _table(canvas)
    _lamp(canvas)
    return canvas.picture()


def _floor(canvas: Canvas) -> None:
    canvas.paint(canvas.mask(box(0, 340, *SIZE)), "#74502f", grain=0.35)
    for i in range(-14, 30):
        x = i * 48
        far = 360 + (x - 360) * 0.55
        canvas.shade(canvas.mask(shape((far, 340), (far + 1.2, 340), (x + 3, 480), (x, 480))), 0.45)
    canvas.paint(canvas.mask(box(0, 330, SIZE[0], 341)), "#e3d8c3", grain=0.03)
    rug = canvas.mask(shape((250, 385), (560, 385), (640, 462), (190, 462)))
    canvas.paint(rug, "#7d2f35", grain=0.4)
    canvas.paint(
        canvas.mask(shape((268, 392), (545, 392), (612, 454), (216, 454))), "#c7a777", grain=0.4
    )
    canvas.paint(
        canvas.mask(shape((282, 397), (533, 397), (590, 448), (238, 448))), "#355064", grain=0.5
    )


def _shelf(canvas: Canvas) -> None:
    canvas.shade(canvas.mask(box(40, 70, 205, 385), soft=9), 0.55)
    canvas.paint(canvas.mask(box(34, 62, 196, 380)), "#5b3a22", grain=0.3)
    colours = [
        "#a23b32",
        "#d8c59a",
        "#31556b",
        "#56733f",
        "#c98a33",
        "#e7e0d2",
        "#6b3f63",
        "#2d2d33",
    ]
    for row in range(4):
        top = 70 + row * 78
        canvas.paint(canvas.mask(box(42, top, 188, top + 68)), "#33200f", grain=0.2)
        x = 44.0
        while x < 178:
            width = canvas.rng.uniform(6, 13)
            height = canvas.rng.uniform(42, 62)
            book = box(x, top + 68 - height, min(x + width - 1, 187), top + 68)
            canvas.paint(canvas.mask(book), colours[canvas.rng.integers(len(colours))], grain=0.15)
            title = box(x + 1.5, top + 76 - height, x + width - 2.5, top + 80 - height)
            canvas.paint(canvas.mask(title), "#e9d9a6", grain=0)
            x += width
            if canvas.rng.random() < 0.12:
                x += 14


def _painting(canvas: Canvas) -> None:
    canvas.shade(canvas.mask(box(258, 78, 448, 208), soft=6), 0.6)
    canvas.paint(canvas.mask(box(250, 68, 440, 198)), "#8a6a2c", grain=0.25)
    canvas.paint(canvas.mask(box(259, 77, 431, 189)), "#f1ece0", grain=0.02)
    canvas.paint(canvas.mask(box(270, 88, 420, 178)), "#86aeb8", grain=0.15)
    canvas.paint(canvas.mask(disc(385, 112, 13)), "#f4d58a", grain=0.05)
    hills = [(270, 150), (300, 126), (335, 146), (368, 120), (420, 150), (420, 178), (270, 178)]
    canvas.paint(canvas.mask(shape(*hills)), "#54694f", grain=0.3)
    canvas.paint(
        canvas.mask(shape((270, 160), (345, 150), (420, 166), (420, 178), (270, 178))), "#b58b4a"
    )


def _armchair(canvas: Canvas) -> None:
    canvas.shade(canvas.mask(disc(585, 420, 110, 18), soft=7), 0.35)
    for x in (508, 652):
        canvas.paint(canvas.mask(box(x, 398, x + 9, 424)), "#2f1e12")
    canvas.paint(canvas.mask(disc(585, 262, 78, 70), box(507, 262, 663, 400)), "#9c3f2c", grain=0.3)
    canvas.shade(canvas.mask(box(530, 240, 640, 345), soft=14), 1.25)
    for x, y in ((555, 262), (585, 256), (615, 262), (570, 298), (600, 298)):
        canvas.shade(canvas.mask(disc(x, y, 3), soft=1), 0.35)
    canvas.paint(canvas.mask(disc(585, 352, 66, 20), box(519, 350, 651, 384)), "#b4543c", grain=0.3)
    for x in (494, 640):
        canvas.paint(
            canvas.mask(disc(x + 18, 330, 20, 17), box(x, 330, x + 37, 402)), "#8a3424", grain=0.3
        )
    canvas.paint(
        canvas.mask(shape((560, 318), (606, 308), (616, 350), (566, 356))), "#d9b75a", grain=0.3
    )


def _table(canvas: Canvas) -> None:
    canvas.shade(canvas.mask(disc(352, 436, 88, 16), soft=6), 0.35)
    for x in (296, 350, 404):
        canvas.paint(
            canvas.mask(shape((x - 4, 366), (x + 4, 366), (x + 2, 440), (x - 2, 440))), "#46301c"
        )
    canvas.paint(canvas.mask(disc(352, 366, 92, 17)), "#6d4a2a", grain=0.3)
    canvas.paint(canvas.mask(disc(352, 361, 92, 17)), "#a2764a", grain=0.35)
    canvas.shade(canvas.mask(disc(340, 360, 20, 5), soft=3), 0.5)
    vase = shape(
        (322, 300),
        (346, 300),
        (342, 316),
        (352, 338),
        (344, 360),
        (324, 360),
        (316, 338),
        (326, 316),
    )
    canvas.paint(canvas.mask(vase), "#dfe6ea", grain=0.05)
    canvas.shade(canvas.mask(box(338, 300, 352, 360), soft=3), 0.65)
    for x, y in ((306, 262), (322, 244), (340, 252), (358, 240), (366, 268), (334, 272)):
        stem = shape((x - 1, y), (x + 1, y), (335, 304), (333, 304))
        canvas.paint(canvas.mask(stem), "#3f6b34")
        for angle in np.linspace(0, 2 * np.pi, 7)[:-1]:
            petal = disc(x + 8 * np.cos(angle), y + 8 * np.sin(angle), 6)
            canvas.paint(canvas.mask(petal), "#f0c53c", grain=0.3)
        canvas.paint(canvas.mask(disc(x, y, 5)), "#6b3d17", grain=0.4)
    cup = canvas.mask(box(394, 340, 416, 358), disc(405, 358, 11, 4))
    canvas.paint(cup, "#3d7a8c", grain=0.05)
    canvas.paint(canvas.mask(disc(405, 340, 11, 3.5)), "#27170d")


def _lamp(canvas: Canvas) -> None:
    canvas.paint(canvas.mask(box(476, 0, 478, 70)), "#1d1d1d")
    shade = shape((452, 70), (502, 70), (522, 116), (432, 116))
    canvas.paint(canvas.mask(shade), parse("#f6c56c") * 1.3, grain=0.05)
    canvas.paint(canvas.mask(disc(477, 116, 45, 7)), parse("#fff0c8") * 1.3, grain=0)
    height, width = canvas.light.shape[:2]
    rows, columns = np.mgrid[:height, :width] / FINE
    distance = np.hypot(columns - 477, (rows - 120) * 1.1)
    glow = 1 / (1 + (distance / 170) ** 2)
    canvas.light *= 0.34 + 1.05 * glow[..., None] * np.array([1.0, 0.9, 0.72])


def street() -> Light:
    """Draw the other side of the street by day: sky, houses, a tree, a parked car, the pavement."""
    canvas = Canvas(SEED + 1)
    height, width = canvas.light.shape[:2]
    rows = np.linspace(0, 1, height)[:, None, None]
    sky = parse("#6f9fd8") * (1 - rows) + parse("#e9f1f8") * rows
    canvas.light += np.broadcast_to(sky, (height, width, 3))
    whole = (slice(None), slice(None))
    clouds = sum(noise(canvas.rng, (height, width), 540 >> i) / 2**i for i in range(5)) / 1.94
    canvas.paint(Cover(whole, np.clip((clouds - 0.5) * 5, 0, 1)), "#ffffff", grain=0)
    _houses(canvas)
    canvas.paint(canvas.mask(box(0, 392, *SIZE)), "#77787c", grain=0.3)
    canvas.paint(canvas.mask(box(0, 386, SIZE[0], 398)), "#b5b3ab", grain=0.2)
    _tree(canvas)
    _car(canvas)
    return canvas.picture()


def _houses(canvas: Canvas) -> None:
    houses = [
        (-20, 150, "#c9beb0"),
        (128, 200, "#b5654a"),
        (262, 128, "#e3d6a4"),
        (430, 178, "#9fb0b8"),
        (590, 140, "#d3a58c"),
    ]
    ends = [128, 262, 430, 590, 760]
    for (left, top, colour), right in zip(houses, ends, strict=True):
        middle = (left + right) / 2
        roof = shape((left - 3, top), (middle, top - 58), (right + 3, top))
        canvas.paint(canvas.mask(roof), "#5a4038", grain=0.4)
        canvas.paint(canvas.mask(box(left, top, right, 392)), colour, grain=0.15)
        columns = max(2, int((right - left) // 46))
        step = (right - left) / columns
        for row in range(int((360 - top) // 62)):
            for column in range(columns):
                x, y = left + step * (column + 0.5), top + 20 + row * 62
                canvas.paint(canvas.mask(box(x - 12, y - 2, x + 12, y + 38)), "#f4f1ea", grain=0)
                canvas.paint(canvas.mask(box(x - 9, y + 1, x + 9, y + 35)), "#3c4a57", grain=0.6)
                canvas.paint(canvas.mask(box(x - 0.8, y, x + 0.8, y + 36)), "#f4f1ea", grain=0)
        canvas.paint(canvas.mask(box(middle - 12, 344, middle + 12, 392)), "#4b2f24", grain=0.2)


def _tree(canvas: Canvas) -> None:
    canvas.paint(
        canvas.mask(shape((92, 410), (112, 410), (106, 240), (98, 240))), "#4a3a2b", grain=0.4
    )
    for _ in range(420):
        angle, radius = canvas.rng.uniform(0, 2 * np.pi), 78 * np.sqrt(canvas.rng.random())
        x, y = 102 + radius * np.cos(angle), 195 + 1.05 * radius * np.sin(angle)
        green = ["#35602c", "#4f8038", "#6f9d48", "#274a22"][canvas.rng.integers(4)]
        canvas.paint(canvas.mask(disc(x, y, canvas.rng.uniform(4, 9))), green, grain=0)


def _car(canvas: Canvas) -> None:
    canvas.shade(canvas.mask(disc(520, 440, 125, 12), soft=4), 0.35)
    body = shape(
        (400, 428),
        (402, 398),
        (440, 388),
        (470, 356),
        (570, 356),
        (606, 390),
        (640, 400),
        (642, 428),
    )
    canvas.paint(canvas.mask(body), "#d8dde2", grain=0.1)
    glass = shape((452, 388), (476, 362), (564, 362), (592, 388))
    canvas.paint(canvas.mask(glass), "#2c3a46", grain=0.3)
    canvas.paint(canvas.mask(box(516, 358, 521, 390)), "#d8dde2", grain=0)
    for x in (448, 592):
        canvas.paint(canvas.mask(disc(x, 428, 21)), "#17181a")
        canvas.paint(canvas.mask(disc(x, 428, 10)), "#aab0b6")


def through_glass(behind: Light, mirrored: Light) -> Light:
    """Add the defocused street, seen in two surfaces of a pane, to the room; linear light."""
    soft = np.stack([_blur(mirrored[..., channel], 3.0) for channel in range(3)], axis=2)
    height, width = SIZE[1], SIZE[0]
    ghost = np.pad(soft, ((2, 0), (5, 0), (0, 0)), mode="edge")[:height, :width]
    rows, columns = np.mgrid[:height, :width]
    # Glass mirrors more at a slant: more to the left, where the pane turns away.
    reflectance = 0.16 + 0.13 * (1 - columns / width) + 0.05 * (1 - rows / height)
    return 0.9 * behind + reflectance[..., None] * (0.72 * soft + 0.28 * ghost)


def _blur(channel: Light, sigma: float) -> Light:
    reach = int(4 * sigma)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    for _ in range(2):
        padded = np.pad(channel, ((reach, reach), (0, 0)), mode="edge")
        parts = (tap * padded[i : i + len(channel)] for i, tap in enumerate(taps))
        channel = sum(parts, start=np.zeros_like(channel)).T
    return channel


def save(light: Light, path: Path) -> None:
    """Write a JPEG with a little sensor noise, as a camera would."""
    noise = np.random.default_rng(SEED + 2).normal(0, 0.006, light.shape)
    pixels = np.round(255 * np.clip(encode(light) + noise, 0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=92, subsampling=0)


def main() -> None:
    """Write window.jpg beside this file."""
    save(through_glass(room(), street()), Path(__file__).with_name("window.jpg"))


if __name__ == "__main__":
    main()
