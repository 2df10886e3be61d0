"""Parts of a network by their names, as "encoder" or "interaction"."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from pellucid.errors import ConfigError

HEARING = ("describe", "language_gate", "interaction")
"""Parts of the network that hear words."""
RECOVERIES = ("recovery", "encoded_recovery")
"""Parts of the network that give the layers, by how these were added (`network/addition.py`)."""
VERDICTS = ("ambiguity", "addition")
"""Parts of the network that judge a photo as a whole (`network/verdicts.py`)."""


def require_parts(network: nn.Module, names: Collection[str]) -> None:
    """Raise ConfigError, with the names there are, if the network has no part of a name."""
    parts = dict(network.named_children())
    for name in names:
        if name not in parts:
            raise ConfigError(f"no part {name!r} in the network; it has {', '.join(parts)}")


def let_only_learn(network: nn.Module, learning: Collection[str]) -> list[nn.Module]:
    """Take the gradients from all parts but these, and return those that no longer learn.

    Where no part is named all learn, and none is returned.

    Raises:
        ConfigError: there is no part of a name given.
    """
    require_parts(network, learning)
    if not learning:
        return []
    still = [part for name, part in network.named_children() if name not in learning]
    for part in still:
        part.requires_grad_(False)
    return still
