"""The shipped files: the ONNX graph computes what the torch network computes."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnxruntime
import pytest
import torch

from pellucid.errors import WeightsError
from pellucid.model import INPUTS
from pellucid.network.export import (
    ExportedSeparation,
    load_shipped_network,
    round_to_half,
    ship,
)
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.network.verdicts import ENCODED_BELOW, encoded_values_added
from tests.network.small import SMALL


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    torch.manual_seed(0)
    network = SeparationNetwork(SMALL).eval()
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    _take_small_pictures_for_sums_of_encoded_values(network)
    folder = tmp_path_factory.mktemp("shipped")
    ship(dict(network.state_dict()), SMALL, folder, "small")
    return folder


@torch.no_grad()
def _take_small_pictures_for_sums_of_encoded_values(network):
    """Set the verdict's border at 96 × 96 pixels: it depends on the size already, slightly."""
    logit = network.addition.logit
    logit.weight.mul_(1e3)
    logit.bias.add_(ENCODED_BELOW - network.look(torch.rand(1, 3, 96, 96)).verdicts.adds)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (160, 96)])
@pytest.mark.parametrize(("said_t", "said_r"), [(3, 0), (0, 0), (7, 2)])
@torch.no_grad()
def test_onnx_equals_torch(shipped, size, said_t, said_r):
    network = load_shipped_network(shipped / "small.safetensors", SMALL)
    session = onnxruntime.InferenceSession(shipped / "small.onnx")
    inputs = [torch.rand(1, 3, *size)]
    verdicts = network.look(inputs[0]).verdicts
    assert encoded_values_added(verdicts) == (size[0] < 96), "both recoveries are asked"
    for count in (said_t, said_r):
        mask = torch.arange(max(count, 1))[None] < count
        inputs += [torch.randn(1, len(mask[0]), 8) * mask[..., None], mask]
    expected = ExportedSeparation(network)(*inputs)
    names = dict(zip(INPUTS, (value.numpy() for value in inputs), strict=True))
    for one, other in zip(expected, session.run(None, names), strict=True):
        assert one.shape == other.shape
        # Far inside the promise of 1e-3 of the 8-bit scale.
        np.testing.assert_allclose(one.numpy(), other, atol=1e-3 / 255)


def test_the_manifest_fits_the_files(shipped):
    manifest = json.loads((shipped / "small.json").read_text())
    for name, told in manifest["files"].items():
        data = (shipped / name).read_bytes()
        assert told == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    properties = onnxruntime.InferenceSession(shipped / "small.onnx").get_modelmeta()
    assert properties.custom_metadata_map["pellucid.weights_id"] == manifest["weights_id"]
    assert properties.custom_metadata_map["pellucid.format"] == "1"


def test_the_graph_holds_no_path_of_the_machine(shipped):
    assert b".py" not in (shipped / "small.onnx").read_bytes()


def test_rounding_again_changes_nothing():
    weights = {"large": torch.randn(300), "small": torch.randn(3)}
    once = round_to_half(weights)
    assert torch.equal(once["small"], weights["small"])
    assert not torch.equal(once["large"], weights["large"])
    assert torch.equal(round_to_half(once)["large"], once["large"])


def test_weights_of_another_network_are_refused(shipped):
    with pytest.raises(WeightsError, match=r"small\.safetensors"):
        load_shipped_network(shipped / "small.safetensors", NetworkConfig.lite())
