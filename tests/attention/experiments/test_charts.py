from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pellucid.attention.experiments.charts import Line, Panel, figure

SVG = "{http://www.w3.org/2000/svg}"


def line(label: str, low: list[float], high: list[float]) -> Line:
    steps = [10.0 * i for i in range(len(low))]
    return Line(label, steps, low, [(a + b) / 2 for a, b in zip(low, high, strict=True)], high)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_figure_is_well_formed_and_inside_its_frame(logarithmic):
    panels = [
        Panel("a < b", [line("one", [0.1, 0.5], [0.2, 2.5]), line("none", [], [])], logarithmic),
        Panel("negative", [line("one", [-3.0, 0.0], [-2.0, 0.0])]),
    ]
    root = ET.fromstring(figure(panels))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a < b", "one", "none", "negative"} <= set(texts)
    curves = [path for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert len(curves) == 2  # the empty line has no curve
    for path in curves:
        numbers = [float(word) for word in path.get("d").replace("M", "").replace("L", "").split()]
        assert all(0 <= x <= 230 for x in numbers[::2])
        assert all(0 <= y <= 150 for y in numbers[1::2])


def test_higher_is_further_up():
    root = ET.fromstring(figure([Panel("up", [line("one", [1.0, 3.0], [1.0, 3.0])])]))
    curve = next(path for path in root.iter(f"{SVG}path") if path.get("fill") == "none")
    first, last = curve.get("d").removeprefix("M ").split(" L ")
    assert float(first.split()[1]) > float(last.split()[1])
    assert last.split()[0] == "230"


def test_every_line_is_drawn_and_named_inside_the_frame():
    lines = [line(f"a rather long name, number {i}", [0.0, 1.0], [1.0, 2.0]) for i in range(10)]
    root = ET.fromstring(figure([Panel("many", lines)] * 3))
    curves = [path for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert len(curves) == 30
    assert len({path.get("stroke") for path in curves}) == 10
    width, height = float(root.get("width")), float(root.get("height"))
    names = [t for t in root.iter(f"{SVG}text") if (t.text or "").startswith("a rather")]
    assert len(names) == 10
    assert all(float(t.get("x")) < width - 100 and float(t.get("y")) < height for t in names)
    with pytest.raises(ValueError):
        figure([Panel("too many", [*lines, lines[0]])])
