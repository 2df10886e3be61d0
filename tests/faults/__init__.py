"""Faults and attacks: what is tried, and what must come of it.

A test that tries a row of the fault list carries it as a mark, wherever the test lives:

    @fault("images", "truncated at every sixteenth", "refused in one line")

`python scripts/robustness_doc.py` runs all tests that carry one and writes what came of them to
`docs/robustness.md` and `results/robustness/faults.json`.
"""

from __future__ import annotations

import pytest

AREAS = (
    "images",
    "text",
    "weights",
    "command line and batch",
    "server",
    "training",
    "attention",
    "output",
    "network and supply chain",
)


def fault(area: str, tried: str, verdict: str) -> pytest.MarkDecorator:
    """Mark a test as one that tries a fault; `verdict` is what holds if the test passes."""
    assert area in AREAS, area
    return pytest.mark.fault(area, tried, verdict)
