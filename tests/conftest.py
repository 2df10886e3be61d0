from __future__ import annotations

from pathlib import Path

import pytest

from .helpers.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A model that splits all light 80 : 20; see `helpers.tiny_model`."""
    return write_tiny_model(tmp_path_factory.mktemp("weights") / "tiny.onnx")
