"""What is quantised, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from pellucid.errors import ConfigError

Kind = Literal["linear", "attention", "gate"]
WeightGrid = Literal["minmax", "mse"]


@dataclass(frozen=True)
class QuantisationConfig:
    """Simulated post-training quantisation; the defaults are the W8A8 of Bondarenko et al. 2023.

    Weights are symmetric, activations asymmetric, with one static range a tensor. Biases, norms,
    residual sums, activation functions and embedding tables stay in full precision.

    Attributes:
        weight_bits: 2 to 16.
        activation_bits: likewise.
        per_channel: a weight has one scale an output channel, else one for all of it.
        weight_grid: `"minmax"`: the grid covers the largest weight; `"mse"`: it is cut off where
            the mean square error is least.
        momentum: of the running minimum and maximum of activations over calibration batches.
        kinds: `"linear"`: `torch.nn.Linear`, transformers' `Conv1D` and the projections of
            `torch.nn.MultiheadAttention`; `"attention"`: queries, keys, values and probabilities
            of `scaled_dot_product_attention`; `"gate"`: `pellucid.attention.Gate`, which published
            work leaves in full precision.
        outputs: quantise what linear layers and gates put out too, not only what goes in.
        head: quantise the layer that makes a transformers model's logits.
        exclude: patterns as of `fnmatch` of the names of modules to leave alone.

    Raises:
        ConfigError: a value is out of its range.

    """

    weight_bits: int = 8
    activation_bits: int = 8
    per_channel: bool = False
    weight_grid: WeightGrid = "minmax"
    momentum: float = 0.9
    kinds: tuple[Kind, ...] = ("linear", "attention")
    outputs: bool = True
    head: bool = False
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for bits in (self.weight_bits, self.activation_bits):
            if not 2 <= bits <= 16:
                raise ConfigError(f"Bits must be 2 to 16; got {bits}.")
        if not 0.0 <= self.momentum < 1.0:
            raise ConfigError(f"momentum must be at least 0 and below 1; got {self.momentum}.")
        if self.weight_grid not in get_args(WeightGrid):
            raise ConfigError(f"weight_grid must be 'minmax' or 'mse'; got {self.weight_grid!r}.")
        unknown = set(self.kinds) - set(get_args(Kind))
        if unknown or not self.kinds:
            raise ConfigError(
                f"kinds must name some of {', '.join(get_args(Kind))}; got {self.kinds!r}."
            )

    @classmethod
    def of(cls, name: str) -> QuantisationConfig:
        """Make the configuration of a name as W8A8, W4A8-channel or W4A4-channel-mse.

        Raises:
            ConfigError: the name is no such name.

        """
        found = re.fullmatch(r"W(\d{1,2})A(\d{1,2})(-CHANNEL)?(-MSE)?", name.upper())
        if found is None:
            raise ConfigError(
                f"{name!r} names no quantisation: write it as W8A8, with -channel for a scale an "
                "output channel and -mse for a grid of least square error."
            )
        bits, channel, mse = (int(found[1]), int(found[2])), found[3], found[4]
        return cls(*bits, channel is not None, "minmax" if mse is None else "mse")

    def __str__(self) -> str:
        """Name bits, scales and grid, as `of` reads it."""
        scales = "-channel" if self.per_channel else ""
        grid = "-mse" if self.weight_grid == "mse" else ""
        return f"W{self.weight_bits}A{self.activation_bits}{scales}{grid}"
