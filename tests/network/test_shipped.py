"""The weights in the package: whole, small, and the same function in torch and in ONNX."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pellucid.model import INPUTS
from pellucid.network.export import ExportedSeparation, load_shipped_network
from pellucid.network.separation import NetworkConfig
from pellucid.training.config import build

FOLDER = Path(str(resources.files("pellucid"))) / "weights"
MOST_BYTES = 35_000_000


@pytest.fixture(scope="module")
def manifest():
    return json.loads((FOLDER / "lite.json").read_text())


def test_the_manifest_names_what_is_there(manifest):
    for name, told in manifest["files"].items():
        data = (FOLDER / name).read_bytes()
        assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert sum(told["bytes"] for told in manifest["files"].values()) < MOST_BYTES


def test_the_card_is_of_these_weights(manifest):
    assert manifest["weights_id"] in (FOLDER / "MODEL_CARD.md").read_text("utf-8")


@torch.no_grad()
def test_onnx_is_the_torch_network(manifest):
    config = build(NetworkConfig, manifest["network"])
    network = load_shipped_network(FOLDER / "lite.safetensors", config)
    session = onnxruntime.InferenceSession(FOLDER / "lite.onnx")
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, 1, 5, 256, generator=generator)
    mask = torch.ones(1, 5, dtype=torch.bool)
    inputs = (torch.rand(1, 3, 96, 128, generator=generator), tokens[0], mask, tokens[1], mask)
    expected = ExportedSeparation(network)(*inputs)
    fed = dict(zip(INPUTS, (value.numpy() for value in inputs), strict=True))
    for one, other in zip(expected, session.run(None, fed), strict=True):
        np.testing.assert_allclose(one.numpy(), other, atol=1e-3 / 255)
