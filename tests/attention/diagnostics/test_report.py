from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import nn

from pellucid.attention import Attention, AttentionConfig
from pellucid.attention.diagnostics import InspectionError, Report, inspect
from pellucid.attention.diagnostics.alarms import ALARMS, Alarm, raised_alarms
from pellucid.attention.diagnostics.drawing import Map, to_png, to_svg
from pellucid.attention.diagnostics.maps import report_maps
from pellucid.attention.diagnostics.page import to_html
from pellucid.attention.diagnostics.table import layer_table, summary_table
from pellucid.attention.estimates import Estimate

from ...faults import fault

EVIL = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def report() -> Report:
    torch.manual_seed(0)
    config = AttentionConfig(dim=16, heads=4, kv_heads=2, gate="vga-key")
    model = nn.Sequential(Attention(config), Attention(AttentionConfig(dim=16, heads=2)))
    return inspect(model, torch.randn(3, 10, 16), epsilon=0.12)


def test_json_comes_back(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    text = (tmp_path / "report.json").read_text()
    assert "NaN" not in text
    again = Report.from_json(text)
    assert again.to_json() == report.to_json()
    assert again.layers[0].metrics["first_attention"].mean == pytest.approx(
        report.layers[0].metrics["first_attention"].mean, rel=1e-5
    )
    assert math.isnan(again.summary["dead_gates"].half_width)


def test_the_json_keeps_its_schema(report: Report) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(report.to_json()), Report.schema())
    example = Path(__file__).parents[3] / "results" / "attention" / "inspect-minilm"
    for path in example.glob("report*.json"):
        jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), Report.schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a report"),
        ("{", "damaged"),
        ('{"format": "pellucid-attention-report", "version": 99}', "version 99"),
        ('{"format": "pellucid-attention-report", "version": 1}', "damaged"),
    ],
)
def test_other_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(InspectionError, match=message):
        Report.from_json(text)


def test_report_names_its_modules_and_definitions(report: Report) -> None:
    record = json.loads(report.to_json())
    used = {name for layer in record["layers"] for name in layer["metrics"]}
    assert used <= record["definitions"].keys()
    assert record["summary"].keys() <= record["definitions"].keys()
    assert "are of the outputs of: 0, 1." in " ".join(record["notes"])


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


@fault(
    "output",
    "HTML in a model's tokens, on the page of an inspection",
    "shown as text, nothing fetched",
)
def test_page_is_self_contained_and_escaped(report: Report) -> None:
    layer = replace(report.layers[0], path=EVIL, sink_tokens={"7": 3})
    hostile = replace(
        report,
        model=EVIL,
        layers=[layer, report.layers[1]],
        activations=[replace(report.activations[0], path=EVIL)],
        unmeasured={EVIL: EVIL},
        notes=[EVIL],
        token_names={"7": EVIL},
    )
    html = to_html(hostile, [EVIL])
    page = Page()
    page.feed(html)
    assert "script" not in page.tags
    assert page.links == []
    assert html.count("&lt;script&gt;") >= 8
    assert page.tags.count("svg") == len(report_maps(hostile)) == 8


def test_pictures(report: Report) -> None:
    for shown in report_maps(report):
        picture = Image.open(io.BytesIO(to_png(shown)))
        assert picture.size == shown.size
        assert len(picture.getcolors(1 << 20) or []) > 3
        assert to_svg(shown).count("<rect") == len(shown.rows) * len(shown.columns)


def test_map_colours() -> None:
    shown = Map("m", "m", ["r"], ["a", "b", "c"], [[0.0, 1.0, math.nan]], 0.0, 1.0)
    white, blue, grey = (shown.colour(value) for value in shown.values[0])
    assert sum(white) > sum(grey) > sum(blue)
    assert replace(shown, reverse=True).colour(0.0) == blue
    assert shown.colour(7.0) == blue


def test_tables(report: Report) -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(summary_table(report), layer_table(replace(report, unmeasured={"x[/]": "[b]"})))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "first_attention" in text
    assert "x[/]" in text
    assert "not measured: [b]" in text


def test_alarms(report: Report) -> None:
    mean = report.summary["first_attention"].mean
    above, below = (Alarm("first-attention", mean + shift) for shift in (-0.01, 0.01))
    assert raised_alarms(report, [below]) == []
    (message,) = raised_alarms(report, [above, below])
    assert message.startswith("first-attention: first_attention is 0.")


def test_drain_goes_off_below_and_not_without_sinks(report: Report) -> None:
    def with_drain(value: float) -> Report:
        return replace(report, summary={"sink_drain": Estimate(value, 0.0, 1)})

    alarm = Alarm("drain", 0.2)
    assert raised_alarms(with_drain(0.1), [alarm])
    assert not raised_alarms(with_drain(0.3), [alarm])
    assert not raised_alarms(with_drain(math.nan), [alarm])


def test_alarm_on_what_was_not_measured(report: Report) -> None:
    ungated = replace(report, summary={})
    with pytest.raises(InspectionError, match="dead-gates cannot be judged"):
        raised_alarms(ungated, [Alarm("dead-gates", 0.0)])


@pytest.mark.parametrize("text", ["sink", "sink=", "sink=x", "sink=nan", "sinks=1", "=1"])
def test_alarm_spelling(text: str) -> None:
    with pytest.raises(InspectionError, match="alarm"):
        Alarm.parse(text)
    assert Alarm.parse("sink=.3") == Alarm("sink", 0.3)


def test_every_alarm_watches_a_defined_metric(report: Report) -> None:
    assert set(ALARMS.values()) <= report.definitions.keys()
