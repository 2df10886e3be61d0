"""The tour's code blocks run, and its tables say what the code says."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
import torch

import pellucid.attention
from pellucid.attention import PRESETS, AttentionFunction

TOUR = Path(__file__).parents[2] / "docs" / "attention.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TOUR.read_text(encoding="utf-8"), re.DOTALL)


def test_code_blocks_run_in_order(capsys):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    namespace: dict[str, object] = {"__name__": "tour"}
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"attention.md, block {number}", "exec"), namespace)
    printed = blocks("text")[0]
    assert printed in capsys.readouterr().out


def test_the_readmes_lines_run_and_their_shapes_are_true():
    readme = TOUR.parents[1] / "README.md"
    found = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    (block,) = (block for block in found if "pellucid.attention" in block)
    namespace: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), namespace)
    promised = re.findall(r"^((?:layer|value_gated_attention)\(.*\))  # (\(.*\))$", block, re.M)
    assert len(promised) == 2
    for call, shape in promised:
        assert tuple(eval(call, namespace).shape) == eval(shape)


def test_every_preset_is_in_the_table():
    rows = re.findall(r"^\| `([\w-]+)` \| ([\w ]+) \| (key|query) \| (head|element) \|", *_lines())
    found = {name: (signal.split()[0], *rest) for name, signal, *rest in rows}
    expected = {name: (s.signal, s.placement, s.granularity) for name, s in PRESETS.items()}
    assert found == expected


def test_the_table_of_neighbours_is_true():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (yes|no)\b", *_lines())
    functions = {
        name: member
        for name in pellucid.attention.__all__
        if isinstance(member := getattr(pellucid.attention, name), type)
        and issubclass(member, AttentionFunction)
        and member is not AttentionFunction
    }
    assert {name: fused == "yes" for name, fused in rows} == {
        name: function.fused for name, function in functions.items()
    }


def test_generated_tables_are_those_of_the_result_files(monkeypatch):
    monkeypatch.syspath_prepend(TOUR.parents[1] / "scripts")
    written = import_module("attention_doc")
    for name, figures in written.documents().items():
        text = (TOUR.parent / name).read_text(encoding="utf-8")
        for mark, figure in figures.items():
            assert f"<!-- {mark} -->\n\n{figure}\n<!-- end -->" in text, f"{name}: {mark}"


def _lines() -> tuple[str, re.RegexFlag]:
    return TOUR.read_text(encoding="utf-8"), re.MULTILINE
