"""Averages of weights lie where they should, part by part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pellucid.errors import ConfigError, WeightsError
from pellucid.network.separation import SeparationNetwork
from pellucid.network.weights import save_weights
from pellucid.training.averaging import average


def saved(config, seed: int, path: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    network = SeparationNetwork(config)
    state = {name: torch.randn_like(value) for name, value in network.state_dict().items()}
    save_weights(state, path)
    return state


@pytest.fixture
def network(tiny_run):
    return SeparationNetwork(tiny_run.network)


def test_every_number_lies_between_but_for_the_parts_named(network, tiny_run, tmp_path):
    first = saved(tiny_run.network, 0, tmp_path / "a.safetensors")
    second = saved(tiny_run.network, 1, tmp_path / "b.safetensors")
    average(
        network, tmp_path / "a.safetensors", tmp_path / "b.safetensors", 0.25, ["language_gate"]
    )
    for name, value in network.state_dict().items():
        expected = 0.75 * first[name] + 0.25 * second[name]
        if name.startswith("language_gate."):
            expected = first[name]
        torch.testing.assert_close(value, expected)


def test_blocks_of_a_shallower_network_count_as_idle(tiny_run, tmp_path):
    saved(tiny_run.network, 0, tmp_path / "shallow.safetensors")
    deeper = replace(tiny_run.network, decoder_blocks=(2, 1, 1))
    second = saved(deeper, 1, tmp_path / "deep.safetensors")
    network = SeparationNetwork(deeper)
    for paths in (("shallow", "deep"), ("deep", "shallow")):
        average(network, *(tmp_path / f"{path}.safetensors" for path in paths), 0.5)
        averaged = network.state_dict()
        for part, share in (("spatial_out", 0.5), ("spatial_in", 1.0)):
            name = f"recovery.deep.1.{part}.weight"
            torch.testing.assert_close(averaged[name], share * second[name])
    with pytest.raises(WeightsError, match=r"deep\.safetensors"):
        average(
            SeparationNetwork(tiny_run.network),
            tmp_path / "shallow.safetensors",
            tmp_path / "deep.safetensors",
            0.5,
        )


@pytest.mark.parametrize(("share", "parts"), [(1.5, []), (-0.1, []), (0.5, ["gate"])])
def test_what_cannot_be_averaged_is_refused(network, tmp_path, share, parts):
    with pytest.raises(ConfigError):
        average(network, tmp_path / "a", tmp_path / "b", share, parts)
