"""Parts of a network by their names, as "encoder" or "interaction"."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from pellucid.errors import ConfigError


def require_parts(network: nn.Module, names: Collection[str]) -> None:
    """Raise ConfigError, with the names there are, if the network has no part of a name."""
    parts = dict(network.named_children())
    for name in names:
        if name not in parts:
            raise ConfigError(f"no part {name!r} in the network; it has {', '.join(parts)}")


def rest(network: nn.Module, learning: Collection[str]) -> list[nn.Module]:
    """Return the parts that do not learn: none where no learning part is named.

    Raises:
        ConfigError: there is no part of a name given.
    """
    require_parts(network, learning)
    if not learning:
        return []
    return [part for name, part in network.named_children() if name not in learning]
