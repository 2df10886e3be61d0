"""An HTML sheet of an evaluation: the pictures and their scores in one self-contained file.

Names and descriptions come from files of unknown origin, so all text is escaped and the page
carries a policy that runs no script.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from PIL import Image as PillowImage

from pellucid.evaluation.images import Image, to_8bit, to_unit
from pellucid.evaluation.protocol import Sample
from pellucid.evaluation.results import replacing
from pellucid.evaluation.run import Answer

MOST_PHOTOS = 50
"""Photos a sheet shows; a set of hundreds would not open in a browser."""

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fafafa }}
section {{ display: flex; flex-wrap: wrap; gap: 12px; border-top: 1px solid #ccc; padding: 12px 0 }}
h2, .words {{ flex-basis: 100%; margin: 0 }}
figure {{ margin: 0; width: 280px }} img {{ width: 100%; display: block }}
figcaption {{ font-size: 12px }}
</style></head><body>
<h1>{title}</h1><p>{note}</p>
"""


@dataclass
class Sheet:
    """A sheet being written."""

    file: TextIO
    photos: int = 0

    def add(self, sample: Sample, answers: Sequence[Answer]) -> None:
        """Add one photo: mixture and true layers, then every answer's layers."""
        self.photos += 1
        if self.photos > MOST_PHOTOS:
            return
        words = sample.words
        told = f"behind: {words.transmission or '–'}; mirrored: {words.reflection or '–'}"
        parts = [f"<section><h2>{html.escape(sample.name)}</h2>"]
        parts.append(f'<p class="words">{html.escape(told)}</p>')
        parts.append(_figure(sample.mixture, "mixture"))
        parts.append(_figure(sample.transmission, "true transmission"))
        if sample.reflection is not None:
            parts.append(_figure(sample.reflection, "true reflection"))
        parts.extend(_answer_figures(answer) for answer in answers)
        self.file.write("\n".join([*parts, "</section>\n"]))


@contextmanager
def html_sheet(path: Path, title: str, note: str) -> Iterator[Sheet]:
    """Write a sheet photo by photo; the file appears when all are in."""
    with replacing(path) as file:
        file.write(_HEAD.format(title=html.escape(title), note=html.escape(note)))
        sheet = Sheet(file)
        yield sheet
        if sheet.photos > MOST_PHOTOS:
            file.write(f"<p>{sheet.photos - MOST_PHOTOS} more photos were scored, not shown.</p>\n")
        file.write("</body></html>\n")


def _answer_figures(answer: Answer) -> str:
    label = f"{answer.score.method}, words: {answer.score.mode}"
    measures = answer.score.measures
    told = f"{measures['transmission.psnr']:.2f} dB, {measures['transmission.ssim']:.3f}"
    figures = _figure(answer.layers.transmission, f"{label} – T {told}")
    if answer.layers.reflection is None:
        return figures
    return figures + _figure(answer.layers.reflection, f"{label} – R")


def _figure(image: Image, caption: str) -> str:
    buffer = io.BytesIO()
    PillowImage.fromarray(to_8bit(to_unit(image))).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    text = html.escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
