"""Grown networks give what the smaller one gave."""

from dataclasses import replace

import pytest
import torch

from pellucid.errors import WeightsError
from pellucid.network.growth import fit_grown_weights, with_idle_parts
from pellucid.network.separation import SeparationNetwork

from .small import SMALL

DEEPER = replace(SMALL, decoder_blocks=(3, 2, 1))


@pytest.fixture
def trained() -> SeparationNetwork:
    torch.manual_seed(0)
    network = SeparationNetwork(SMALL).eval()
    with torch.no_grad():
        for parameter in network.recovery.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def test_grown_network_gives_the_same_layers_and_learns_in_every_block(
    trained: SeparationNetwork,
) -> None:
    deeper = SeparationNetwork(DEEPER).eval()
    fit_grown_weights(deeper, trained.state_dict(), "the smaller one")
    mixture = torch.rand(2, 3, 64, 64)
    before, after = trained(mixture).layers, deeper(mixture).layers
    assert torch.equal(before.transmission, after.transmission)
    assert torch.equal(before.reflection, after.reflection)
    after.transmission.square().mean().backward()
    added = [deeper.recovery.deep[1], deeper.recovery.deep[2], deeper.recovery.up4.blocks[1]]
    for block in added:
        gradient = block.get_parameter("spatial_out.weight").grad
        assert gradient is not None and gradient.abs().max() > 0.0


def test_what_is_no_whole_block_is_still_missing(trained: SeparationNetwork) -> None:
    deeper = SeparationNetwork(DEEPER)
    for name in ("recovery.deep.0.spatial.weight", "recovery.join.weight"):
        weights = {key: value for key, value in trained.state_dict().items() if key != name}
        with pytest.raises(WeightsError, match=f"no tensor {name}"):
            fit_grown_weights(deeper, weights, "broken")


def test_weights_of_the_same_size_stay_as_they_are(trained: SeparationNetwork) -> None:
    weights = trained.state_dict()
    grown = with_idle_parts(SeparationNetwork(SMALL), weights)
    assert grown.keys() == weights.keys()
    assert all(grown[name] is weights[name] for name in weights)


def test_a_verdict_that_is_missing_is_added_and_untaught(trained: SeparationNetwork) -> None:
    weights = {k: v for k, v in trained.state_dict().items() if not k.startswith("ambiguity.")}
    grown = SeparationNetwork(SMALL)
    fit_grown_weights(grown, weights, "an older one")
    assert torch.all(grown.look(torch.rand(2, 3, 64, 64)).verdicts.ambiguous == -5.0)


def test_the_recovery_from_encoded_values_begins_with_what_light_taught(
    trained: SeparationNetwork,
) -> None:
    weights = {k: v for k, v in trained.state_dict().items() if not k.startswith("encoded_")}
    deeper = SeparationNetwork(DEEPER)
    fit_grown_weights(deeper, weights, "an older one")
    light, encoded = deeper.recovery.state_dict(), deeper.encoded_recovery.state_dict()
    for name, value in trained.recovery.state_dict().items():
        assert torch.equal(encoded[name], value) and torch.equal(light[name], value)
    added = deeper.encoded_recovery.deep[2].get_parameter("spatial_out.weight")
    assert not added.any()
