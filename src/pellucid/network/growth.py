"""Let a trained network grow: blocks that it lacks start as the identity.

A residual block whose last convolutions are zero adds nothing, so a deeper network can take over
what a shallower one knows and give the same layers to the bit, then learn on from there (Net2Net,
Chen et al., ICLR 2016, §3). What it bought here: docs/lab-notes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pellucid.network.blocks import GatedBlock
from pellucid.network.weights import fit_weights

LAST = ("spatial_out", "channel_out")
"""The convolutions of a block whose zeros make it the identity."""


def with_idle_blocks(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete the weights of a network with fewer blocks.

    Args:
        network: what the weights are for; it stays as it is.
        weights: tensors by name. Blocks of which they hold nothing are added.

    Returns:
        The weights, and for each added block the network's own numbers with its last convolutions
        zero. Anything else that is missing is still missing.
    """
    grown = dict(weights)
    for name, block in network.named_modules():
        if isinstance(block, GatedBlock) and not any(
            held.startswith(f"{name}.") for held in weights
        ):
            grown |= {f"{name}.{part}": value for part, value in _idle(block).items()}
    return grown


def fit_grown_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Copy weights into a network that may have more blocks; otherwise as `fit_weights`."""
    fit_weights(module, with_idle_blocks(module, weights), source)


def _idle(block: GatedBlock) -> dict[str, Tensor]:
    return {
        part: torch.zeros_like(value) if part.startswith(LAST) else value.clone()
        for part, value in block.state_dict().items()
    }
