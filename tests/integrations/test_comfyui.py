"""The ComfyUI node, called as ComfyUI calls nodes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from pellucid import model

FOLDER = Path(__file__).parents[2] / "integrations" / "comfyui"


@pytest.fixture
def node(monkeypatch, tiny_weights):
    monkeypatch.setattr(model, "SHIPPED_WEIGHTS", tiny_weights)
    spec = importlib.util.spec_from_file_location("comfyui_pellucid", FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (kind,) = module.NODE_CLASS_MAPPINGS.values()
    assert set(module.NODE_DISPLAY_NAME_MAPPINGS) == set(module.NODE_CLASS_MAPPINGS)
    return kind


def test_the_node_speaks_comfyuis_protocol(node):
    inputs = node.INPUT_TYPES()
    assert set(inputs) <= {"required", "optional", "hidden"}
    assert inputs["required"]["image"] == ("IMAGE",)
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
    assert callable(getattr(node, node.FUNCTION))
    assert isinstance(node.CATEGORY, str)


def test_layers_of_a_batch_have_its_shape(node):
    image = torch.rand(2, 24, 40, 3)
    first, second, gates = node().separate(image, "a room", "", 100.0)
    for layer in (first, second):
        assert layer.shape == image.shape
        assert layer.dtype == torch.float32
        assert 0 <= layer.min() <= layer.max() <= 1
    assert gates.count("transmission=0.5") == 2


def test_strength_zero_is_the_image(node):
    image = torch.rand(1, 24, 40, 3)
    assert (node().separate(image, "", "", 0.0)[0] - image).abs().max() < 1 / 255


@pytest.mark.parametrize("shape", [(24, 40), (1, 24, 40)])
def test_a_mask_limits_the_effect(node, shape):
    image = torch.rand(2, 24, 40, 3)
    first, second, _ = node().separate(image, "", "", 100.0, torch.zeros(shape))
    assert (first - image).abs().max() < 1 / 255
    assert second.max() == 0
