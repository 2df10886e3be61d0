"""The notebooks run from top to bottom (without Jupyter: their code cells, in one namespace)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_are_stored_with_their_outputs_and_without_errors(path):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert all(out["output_type"] != "error" for out in cell.get("outputs", []))
        assert cell["cell_type"] == "markdown" or cell["execution_count"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_they_run(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    namespace: dict[str, object] = {}
    for number, code in enumerate(code_cells(path)):
        exec(compile(code, f"{path.name}, cell {number}", "exec"), namespace)
