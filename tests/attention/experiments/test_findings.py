"""The findings page shows the stored tables and figures, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.attention.experiments.catalogue import EXPERIMENTS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "findings.md"
RESULTS = ROOT / "results" / "attention" / "experiments"

pytestmark = pytest.mark.skipif(
    not RESULTS.exists(), reason="results do not travel with the package"
)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_table_is_the_stored_one(name):
    stored = RESULTS / EXPERIMENTS[name].folder / f"{name}.md"
    assert stored.read_text(encoding="utf-8").strip() in PAGE.read_text(encoding="utf-8")


def test_every_figure_is_there_and_small():
    figures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(figures) == 6
    for figure in figures:
        assert 0 < (PAGE.parent / figure).stat().st_size < 60_000
