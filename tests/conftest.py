from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from .helpers.tiny_model import write_tiny_model

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A model that splits all light 80 : 20; see `helpers.tiny_model`."""
    return write_tiny_model(tmp_path_factory.mktemp("weights") / "tiny.onnx")
