"""Let a trained network grow: parts that it lacks start idle.

A residual block whose last convolutions are zero adds nothing, so a deeper network can take over
what a shallower one knows and give the same layers to the bit, then learn on from there (Net2Net,
Chen et al., ICLR 2016, §3). A verdict that nobody has taught says what it says as it is built: that
words need not decide, that a camera took the picture. The recovery from encoded values begins with
what the one from light has learnt. What it bought here: docs/lab-notes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.network.blocks import GatedBlock
from pellucid.network.verdicts import Verdict
from pellucid.network.weights import fit_weights

LAST = ("spatial_out", "channel_out")
"""The convolutions of a block whose zeros make it the identity."""


def with_idle_parts(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete the weights of a network with fewer blocks, verdicts or recoveries.

    Args:
        network: what the weights are for; it stays as it is.
        weights: tensors by name. Blocks, verdicts and a second recovery of which they hold nothing
            are added.

    Returns:
        The weights; for an added recovery the other's numbers, for other parts the network's own,
        with the last convolutions of blocks zero. Anything else that is missing is still missing.
    """
    grown = _with_both_recoveries(weights)
    held = list(grown)
    for name, part in network.named_modules():
        if isinstance(part, GatedBlock | Verdict) and not any(
            tensor.startswith(f"{name}.") for tensor in held
        ):
            grown |= {f"{name}.{tensor}": value for tensor, value in _idle(part).items()}
    return grown


def fit_grown_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy weights into a network that may have more parts; otherwise as `fit_weights`."""
    fit_weights(module, with_idle_parts(module, weights), source)


def _with_both_recoveries(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Let the recovery from encoded values begin with what the one from light has learnt."""
    if any(name.startswith("encoded_recovery.") for name in weights):
        return dict(weights)
    copied = {f"encoded_{k}": v.clone() for k, v in weights.items() if k.startswith("recovery.")}
    return {**weights, **copied}


def _idle(part: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.zeros_like(value) if name.startswith(LAST) else value.clone()
        for name, value in part.state_dict().items()
    }
