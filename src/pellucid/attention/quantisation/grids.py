"""Uniform grids: where they lie, and rounding to them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pellucid.attention.quantisation.config import QuantisationConfig

# Shares of the largest weight at which an MSE grid may be cut off.
_CUTS = tuple(share / 50 for share in range(10, 51))


class Grid(NamedTuple):
    """The numbers scale · (k − zero) for the whole numbers k from low to high.

    Attributes:
        scale: distance of two neighbours, broadcastable to what is quantised.
        zero: the k that stands for 0, so that 0 is exact.
        low: least k.
        high: greatest k.

    """

    scale: Tensor
    zero: Tensor
    low: int
    high: int

    def round(self, values: Tensor) -> Tensor:
        """Return the nearest numbers of the grid, halves to even; what is outside is cut off."""
        steps = torch.round(values / self.scale) + self.zero
        return (steps.clamp(self.low, self.high) - self.zero) * self.scale


def asymmetric_grid(lowest: Tensor, highest: Tensor, bits: int) -> Grid:
    """Cover a range, widened to hold 0, with 2^bits numbers from k = 0 on."""
    lowest, highest = lowest.clamp(max=0.0), highest.clamp(min=0.0)
    steps = 2**bits - 1
    scale = _never_zero((highest - lowest) / steps)
    return Grid(scale, torch.round(-lowest / scale), 0, steps)


def symmetric_grid(largest: Tensor, bits: int) -> Grid:
    """Cover ±largest with 2^bits − 1 numbers around k = 0."""
    most = 2 ** (bits - 1) - 1
    return Grid(_never_zero(largest / most), torch.zeros_like(largest), -most, most)


def weight_grid(weight: Tensor, axes: tuple[int, ...], config: QuantisationConfig) -> Grid:
    """Return the grid that a configuration gives a weight.

    Args:
        weight: the weight.
        axes: those that one output channel runs along; with `per_channel` they share a scale.
        config: bits, scales and the kind of grid.

    """
    if not config.per_channel:
        axes = tuple(range(weight.ndim))
    largest = weight.abs().amax(dim=axes, keepdim=True)
    if config.weight_grid == "mse":
        largest = largest * _best_cut(weight, largest, axes, config.weight_bits)
    return symmetric_grid(largest, config.weight_bits)


def _best_cut(weight: Tensor, largest: Tensor, axes: tuple[int, ...], bits: int) -> Tensor:
    """Return for each scale the share of the largest weight with the least mean square error."""
    best = torch.ones_like(largest)
    least = torch.full_like(largest, torch.inf)
    for cut in _CUTS:
        rounded = symmetric_grid(largest * cut, bits).round(weight)
        error = (rounded - weight).square().mean(dim=axes, keepdim=True)
        best = torch.where(error < least, cut, best)
        least = torch.minimum(error, least)
    return best


def _never_zero(scale: Tensor) -> Tensor:
    """Keep a constant zero from being divided by zero."""
    return torch.where(scale > 0, scale, torch.ones_like(scale))
