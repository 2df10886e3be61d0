"""Quantising activations: a static range from calibration batches, and the noise it makes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.grids import Grid, asymmetric_grid
from pellucid.errors import ConfigError


class Noise:
    """Signal and quantisation noise of what went by."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    @torch.no_grad()
    def add(self, exact: Tensor, rounded: Tensor) -> None:
        """Add some numbers and what became of them."""
        self.signal += float(exact.square().sum(dtype=torch.float64))
        self.noise += float((rounded - exact).square().sum(dtype=torch.float64))

    @property
    def decibels(self) -> float:
        """Signal-to-quantisation-noise ratio; infinite without noise, NaN without a signal."""
        if self.signal == 0.0:
            return math.nan
        return 10 * math.log10(self.signal / self.noise) if self.noise else math.inf


class ActivationQuantiser:
    """Rounds one tensor of a model to a static asymmetric grid.

    Args:
        config: bits and momentum.

    """

    def __init__(self, config: QuantisationConfig) -> None:
        self.bits, self.momentum = config.activation_bits, config.momentum
        self.grid: Grid | None = None
        self.noise = Noise()
        self._range: Tensor | None = None

    def reset(self) -> None:
        """Forget all calibration and all noise."""
        self._range, self.grid, self.noise = None, None, Noise()

    def calibrate(self, values: Tensor) -> None:
        """Move the range towards the minimum and maximum of a batch; the first one sets it."""
        if not values.numel():
            return
        found = torch.stack(values.detach().aminmax())
        if not torch.isfinite(found).all():
            raise ConfigError("A calibration batch makes activations that are not finite.")
        before = self._range
        self._range = found if before is None else before.lerp(found, 1 - self.momentum)
        self.grid = asymmetric_grid(self._range[0], self._range[1], self.bits)

    def __call__(self, values: Tensor, real: Tensor | None) -> Tensor:
        """Round, and add to the noise; values stay as they are if calibration never saw any.

        Args:
            values: the activations.
            real: which of them are no padding, as `real_tokens` takes it.

        """
        if self.grid is None:
            return values
        rounded = self.grid.round(values)
        self.noise.add(real_tokens(values, real), real_tokens(rounded, real))
        return rounded


def real_tokens(values: Tensor, real: Tensor | None) -> Tensor:
    """Leave out padding, where the axes of a tensor are those of the mask.

    Args:
        values: (batch, tokens, ...), (batch, heads, tokens, dim), or of any other shape, which
            comes back as it is.
        real: (batch, tokens), False at padding; None: there is none.

    """
    if real is None:
        return values
    if values.ndim == 4 and (values.shape[0], values.shape[2]) == tuple(real.shape):
        return values.transpose(1, 2)[real]
    return values[real] if values.shape[:2] == real.shape else values
