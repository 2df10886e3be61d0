"""The network as a whole: shapes, and above all that a missing description changes nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import ConfigError
from pellucid.network.addition import agree
from pellucid.network.description import Description, no_description
from pellucid.network.interaction import ATTENTIONS
from pellucid.network.light import to_light
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.network.verdicts import agreement
from tests.network.small import SMALL


def awake(config: NetworkConfig = SMALL) -> SeparationNetwork:
    """Build a network whose zero-initialised parts have been given weights."""
    torch.manual_seed(0)
    network = SeparationNetwork(config)
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


def said(batch: int, words: int, given: int | None = None) -> Description:
    """Say something random; only the first `given` words are real."""
    mask = torch.arange(words)[None].expand(batch, -1) < (words if given is None else given)
    return Description(torch.randn(batch, words, 8) * mask[..., None], mask)


@pytest.fixture
def mixture() -> torch.Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_shapes_and_ranges(mixture):
    output = awake()(mixture, said(2, 5), said(2, 3))
    assert output.layers.transmission.shape == output.layers.reflection.shape == mixture.shape
    assert output.transmission_map.shape == (2, 5, 8, 12)
    assert output.reflection_map.shape == (2, 3, 8, 12)
    assert output.layers.transmission.max() <= to_light(mixture).max()
    assert 0 <= output.layers.reflection.min() <= output.layers.reflection.max() <= 1
    for guided in (output.transmission, output.reflection):
        assert torch.all((guided.gate >= 0) & (guided.gate <= 1))


@pytest.mark.parametrize("attention", ATTENTIONS)
@torch.no_grad()
def test_a_missing_description_is_exactly_no_branch(mixture, attention):
    """The output equals, to the bit, that of a network whose interaction is taken out."""
    network = awake(dataclasses.replace(SMALL, attention=attention))
    missing = network(mixture, no_description(2, 8, mixture.device), None).layers
    seen = network.look(mixture)
    bare = network.recovery(
        mixture,
        *seen.pyramid[:2],
        network.transmission_features(seen.features),
        network.reflection_features(seen.features),
    )
    bare = agree(bare, mixture, agreement(seen.verdicts))
    assert torch.equal(missing.transmission, bare.transmission)
    assert torch.equal(missing.reflection, bare.reflection)
    spoken = network(mixture, said(2, 4), None).layers
    assert not torch.equal(spoken.transmission, bare.transmission)
    assert not torch.equal(spoken.reflection, bare.reflection)


@torch.no_grad()
def test_each_head_learns_for_itself(mixture):
    """Heads agree in use only: else they would learn to take more, to make up for what is left."""
    network = awake()
    seen = network.look(mixture)
    agreed = network.answer(mixture, seen, None, None).layers
    network.training = True
    alone = network.answer(mixture, seen, None, None).layers
    assert torch.equal(agree(alone, mixture, agreement(seen.verdicts)).transmission, agreed[0])
    assert not torch.equal(alone.transmission, agreed.transmission)


@torch.no_grad()
def test_the_kind_of_a_picture_is_known_in_training(mixture):
    """A verdict that is not taught yet would never let the second recovery learn."""
    network = awake()
    network.training = True
    by_verdict = network(mixture).layers.transmission
    told = network(mixture, encoded=torch.tensor([True, False])).layers.transmission
    assert not torch.equal(told[0], by_verdict[0])
    torch.testing.assert_close(told[1], by_verdict[1])


@torch.no_grad()
def test_one_row_without_words_does_not_hear_its_neighbour(mixture):
    network = awake()
    told = said(2, 4)
    told.mask[1] = False
    told.tokens[1] = 0
    together = network(mixture, told).layers.transmission[1:]
    alone = network(mixture[1:]).layers.transmission
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


@settings(max_examples=8)
@given(words=st.integers(1, 6), padding=st.integers(0, 5))
@torch.no_grad()
def test_padding_a_description_changes_nothing(words, padding):
    network = awake()
    mixture = torch.rand(1, 3, 32, 32)
    short = said(1, words)
    padded = Description(
        torch.nn.functional.pad(short.tokens, (0, 0, 0, padding)),
        torch.nn.functional.pad(short.mask, (0, padding)),
    )
    one, other = network(mixture, short), network(mixture, padded)
    torch.testing.assert_close(one.layers.transmission, other.layers.transmission)
    torch.testing.assert_close(one.transmission_map, other.transmission_map[:, :words])
    assert torch.all(other.transmission_map[:, words:] == 0)


@torch.no_grad()
def test_before_training_a_photo_comes_back_almost_as_it_is(mixture):
    layers = SeparationNetwork(SMALL).eval()(mixture, said(2, 3)).layers
    assert (layers.transmission - to_light(mixture)).abs().max() < 2e-2
    assert layers.reflection.max() < 2e-2


def test_every_parameter_is_trained(mixture):
    network = awake()
    seen = network.look(mixture)
    judged = torch.stack(seen.verdicts).sum()
    one_of_each_kind = seen.verdicts._replace(adds=torch.tensor([-9.0, 9.0]))
    seen = seen._replace(verdicts=one_of_each_kind)
    output = network.answer(mixture, seen, said(2, 5), said(2, 3))
    total = sum(layer.sum() for layer in output.layers)
    (total + output.transmission.logit.sum() + judged).backward()
    # A logit is not its gate, and verdicts learn from their own losses: these reach all weights.
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert without == []


def test_the_papers_size_takes_a_training_step():
    network = SeparationNetwork(NetworkConfig.paper())
    optimiser = torch.optim.SGD(network.parameters(), 1e-3)
    mixture = torch.rand(2, 3, 64, 64)
    told = Description(torch.randn(2, 4, 512), torch.ones(2, 4, dtype=torch.bool))
    output = network(mixture, told, told)
    loss = (output.layers.transmission - 0.5).square().mean()
    loss.backward()
    before = network.recovery.transmission.bias.detach().clone()
    optimiser.step()
    assert torch.isfinite(loss)
    assert not torch.equal(before, network.recovery.transmission.bias)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": "vgg"}, "vgg"),
        ({"heads": 3}, "divide"),
        ({"attention": "magic"}, "magic"),
    ],
)
def test_a_config_that_cannot_be_built_says_so(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SMALL, **change)
