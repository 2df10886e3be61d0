"""Names, words and metadata cannot steer a terminal, a page, a table or a path."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image
from rich.console import Console

from pellucid.cli.evaluate import _print_table
from pellucid.evaluation import sheet
from pellucid.evaluation.methods import untouched
from pellucid.evaluation.modes import Mode
from pellucid.evaluation.pairs import Descriptions
from pellucid.evaluation.protocol import score
from pellucid.evaluation.run import Answer, Score
from pellucid.evaluation.tables import TextTable

from ..cli.conftest import files, write_png
from ..evaluation.conftest import make_sample
from . import fault
from .attacks.images import encoded

AREA = "output"

STEERING = "\x1b[2J\x1b]0;evil\x07\x9b31m\r\n\u202e"
MARKUP = "</p></section>\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;[b]`${x}`"
HOSTILE = MARKUP + STEERING + "| a | b |"


def shows_no_effect(text: str) -> bool:
    return not any(character in text for character in "\x1b\x07\x9b\r\u202e")


@fault(AREA, "ANSI, line breaks and rich markup in a set's name and words", "shown as text")
def test_tables_on_a_terminal(capsys):
    _print_table(HOSTILE, TextTable(["method"], [[HOSTILE]]), HOSTILE)
    told = capsys.readouterr().out
    assert shows_no_effect(told)
    assert "[b]" in told
    assert r"\x1b[2J" in told


@fault(AREA, "HTML, pipes and line breaks in the names of a Markdown report", "shown as text")
def test_tables_in_markdown():
    table = TextTable(["method"], [[HOSTILE]]).markdown()
    assert table.count("\n") == 3
    assert "<script" not in table
    assert table.splitlines()[2].replace(r"\|", "").count("|") == 2


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sections = 0

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sections += tag == "section"


@fault(AREA, "HTML and scripts in names and words, on the sheet of an evaluation", "shown as text")
def test_the_sheet_of_an_evaluation(tmp_path):
    sample = replace(make_sample(), name=HOSTILE, words=Descriptions(HOSTILE, HOSTILE))
    layers = untouched(sample)
    answer = Answer(layers, Score(HOSTILE, Mode.NONE, HOSTILE, score(sample, layers)))
    with sheet.html_sheet(tmp_path / "sheet.html", HOSTILE, HOSTILE) as page:
        page.add(sample, [answer])
    parsed = Tags()
    parsed.feed((tmp_path / "sheet.html").read_text())
    assert not parsed.tags & {"script", "b", "iframe", "object", "link", "a"}
    assert not {name for name in parsed.attributes if name.startswith("on")}
    assert parsed.sections == 1


@fault(AREA, "ANSI and markup in the tokens and layers of an inspected model", "shown as text")
def test_tables_of_attention():
    torch = pytest.importorskip("torch")
    from pellucid.attention import Attention, AttentionConfig
    from pellucid.attention.diagnostics import inspect
    from pellucid.attention.diagnostics.table import layer_table, summary_table

    model = Attention(AttentionConfig(dim=16, heads=2))
    report = inspect(model, torch.randn(1, 6, 16), epsilon=0.1)
    layer = replace(report.layers[0], path=HOSTILE, sink_tokens={"7": 3})
    hostile = replace(
        report,
        model=HOSTILE,
        layers=[layer],
        unmeasured={HOSTILE: HOSTILE},
        token_names={"7": HOSTILE},
    )
    console = Console(file=io.StringIO(), width=4_000)
    console.print(summary_table(hostile), layer_table(hostile))
    assert shows_no_effect(console.file.getvalue())  # pyright: ignore[reportAttributeAccessIssue]


@fault(AREA, "ANSI, HTML and paths in EXIF, XMP and text chunks", "never printed, never a name")
def test_metadata_is_not_shown(cli, tmp_path):
    block = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x013B, 0x8298):
        block[tag] = HOSTILE + "../../../../tmp/evil"
    (tmp_path / "photo.png").write_bytes(encoded("PNG", exif=block))
    result = cli("separate", tmp_path / "photo.png", "--json")
    assert result.code == 0
    assert b"evil" not in result.out
    assert "evil" not in result.err
    assert len(files(tmp_path)) == 3


@fault(AREA, "an option made of a file name with ANSI, as a shell's * gives it", "shown as text")
@pytest.mark.parametrize("name", ["--\x1b]0;evil\x07.png", "-\x1b[31m.png"])
def test_a_name_that_looks_like_an_option(cli, name):
    result = cli("separate", name)
    assert result.code == 2
    assert shows_no_effect(result.err)
    assert shows_no_effect(result.out.decode())


@fault(AREA, "ANSI and line breaks in names that errors tell", "one line, as text")
def test_errors_of_a_batch(cli, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "evil\x1b[2J\n\r.png").write_bytes(b"no photo")
    write_png(folder / "fine.png")
    result = cli("batch", folder, tmp_path / "out", "--workers", 1)
    assert result.code == 1
    assert shows_no_effect(result.err)
    assert result.err.count("\n") == 3
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["photo"] == "evil\x1b[2J\n\r.png"
