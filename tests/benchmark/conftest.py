from __future__ import annotations

from pathlib import Path

import pytest

import pellucid


@pytest.fixture(autouse=True)
def source_first(monkeypatch):
    """New processes import the package under test."""
    monkeypatch.setenv("PYTHONPATH", str(Path(pellucid.__file__).parents[1]))
