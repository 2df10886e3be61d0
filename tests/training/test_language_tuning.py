"""Only the words' way in is taught anew; without words nothing changes."""

from __future__ import annotations

import pytest
import torch

from pellucid.errors import ConfigError
from pellucid.network.export import load_shipped_network, save_shipped_weights
from pellucid.network.separation import SeparationNetwork
from pellucid.training.batches import BatchConfig, Batches
from pellucid.training.language_tuning import TuningConfig, look, teach_words, with_attention
from pellucid.training.photos import PhotoStore

TUNING = TuningConfig(steps=2, groups=1, batch=BatchConfig(group=4, crop=64))


@pytest.fixture
def trained(tiny_run, tmp_path):
    torch.manual_seed(1)
    network = SeparationNetwork(tiny_run.network)
    path = tmp_path / "trained.safetensors"
    save_shipped_weights(dict(network.state_dict()), path)
    return path


@torch.no_grad()
def layers(network, mixture):
    return torch.cat(network.eval()(mixture).layers, 1)


def test_teaching_words_changes_what_words_do_and_nothing_else(trained, tiny_run, photo_folder):
    network = with_attention(trained, tiny_run.network, "softmax", 0)
    store = PhotoStore(photo_folder, "train", trained.parent / "cache")
    looked = look(network, Batches(store, TUNING.batch, 0), TUNING.groups)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    teach_words(network, looked, TUNING, 0)
    changed = {
        name.split(".")[0]
        for name, value in network.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"describe", "language_gate", "interaction"}
    mixture = torch.rand(1, 3, 64, 64)
    own = load_shipped_network(trained, tiny_run.network)
    torch.testing.assert_close(layers(network, mixture), layers(own, mixture))


def test_networks_differ_in_their_gates_and_their_seeds(trained, tiny_run):
    plain, gated, other = (
        with_attention(trained, tiny_run.network, name, seed).state_dict()
        for name, seed in (("softmax", 0), ("vga-key", 0), ("softmax", 1))
    )
    assert set(gated) > set(plain)
    assert all(torch.equal(gated[name], value) for name, value in plain.items())
    differing = {name.split(".")[0] for name in plain if not plain[name].equal(other[name])}
    assert differing == {"interaction"}


def test_no_attention_of_that_name(trained, tiny_run):
    with pytest.raises(ConfigError, match="lucky"):
        with_attention(trained, tiny_run.network, "lucky", 0)
