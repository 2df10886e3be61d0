import base64
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.evaluation import sheet
from pellucid.evaluation.methods import untouched
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import Descriptions
from pellucid.evaluation.protocol import Sample, score
from pellucid.evaluation.run import Answer, Score

from ..faults import fault


def answer(sample: Sample) -> Answer:
    layers = untouched(sample)
    measures = score(sample, layers)
    return Answer(layers, Score("un<touched>", Mode.NONE, sample.name, measures))


def test_pictures_are_inside_and_show_the_layers(tmp_path: Path, sample: Sample) -> None:
    path = tmp_path / "sheet.html"
    with sheet.html_sheet(path, "a set", "a note") as page:
        page.add(sample, [answer(sample)])
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', path.read_text())
    assert len(pictures) == 5  # mixture, two true layers, two answers
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0]))), float)
    assert np.abs(first - sample.mixture).mean() < 6


@fault("output", "links and scripts on the sheet", "not run, nothing fetched (policy in the page)")
def test_nothing_in_a_name_becomes_markup_or_is_fetched(tmp_path: Path, sample: Sample) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    named = dataclasses.replace(sample, name=evil, words=Descriptions(evil, evil))
    path = tmp_path / "sheet.html"
    with sheet.html_sheet(path, evil, evil) as page:
        page.add(named, [answer(named)])
    text = path.read_text()
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "un<touched>" not in text
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_long_set_is_cut(tmp_path: Path, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_PHOTOS", 1)
    with sheet.html_sheet(tmp_path / "sheet.html", "set", "") as page:
        for _ in range(3):
            page.add(sample, [])
    text = (tmp_path / "sheet.html").read_text()
    assert text.count("<section>") == 1
    assert "2 more photos" in text
