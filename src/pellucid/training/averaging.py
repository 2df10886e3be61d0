"""Average two networks of one training run: often better than either, at no cost.

Weights between which training moved without jumping lie in one basin, and their average lies
nearer to its middle than either end (stochastic weight averaging, Izmailov et al., UAI 2018).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from pellucid.errors import ConfigError
from pellucid.network.growth import fit_grown_weights
from pellucid.network.separation import SeparationNetwork
from pellucid.network.weights import load_weights
from pellucid.training.parts import require_parts


def average(
    network: SeparationNetwork,
    first: Path,
    second: Path,
    share: float,
    only_first: Collection[str] = (),
) -> None:
    """Set a network to (1 − share) · first + share · second, in place.

    Args:
        network: what both weights are for; blocks of its decoder that they lack count as idle.
        first: weights (.safetensors).
        second: weights (.safetensors).
        share: of the second weights, in [0, 1].
        only_first: parts of the network, as "interaction", that are not averaged but the first's.

    Raises:
        ConfigError: the share is not in [0, 1], or there is no part of a name given.
        WeightsError: weights cannot be read, or are of another network.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"the share of the second weights is {share}; it must lie in [0, 1]")
    require_parts(network, only_first)
    _state(network, first)  # an idle block is half of the other's, not of random numbers:
    other = _state(network, second)  # so each completes its own with what the other has
    network.load_state_dict(
        {
            name: value if name.split(".")[0] in only_first else value.lerp(other[name], share)
            for name, value in _state(network, first).items()
        }
    )


def _state(network: SeparationNetwork, path: Path) -> Mapping[str, Tensor]:
    fit_grown_weights(network, load_weights(path), path)
    return {name: value.clone() for name, value in network.state_dict().items()}
