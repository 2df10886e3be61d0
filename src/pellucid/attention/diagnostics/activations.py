"""Extreme numbers in the residual stream: kurtosis, max inf norm, massive activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

# Sun et al. 2024, "Massive Activations in Large Language Models", §2.
MASSIVE_MAGNITUDE, MASSIVE_RATIO = 100.0, 1000.0

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "kurtosis": "μ4 / (std⁴ + 1e-6) of a sample's activations, flattened, not in excess of the "
        "normal distribution's 3; mean over samples, in the summary over modules "
        "(Bondarenko et al. 2023).",
        "inf_norm": "max|h| of a sample, mean over samples, in the summary the maximum over "
        "modules (Bondarenko et al. 2023). Its mean over modules is M-Act (Gated Attention, "
        "NeurIPS 2025).",
        "massive": f"number of activations of a sample with |h| > {MASSIVE_MAGNITUDE:.0f} and "
        f"|h| > {MASSIVE_RATIO:.0f} × median|h| (Sun et al. 2024).",
    }
)


@dataclass(frozen=True)
class ActivationMeasurement:
    """The metrics of one call of one module.

    Attributes:
        values: metric name to (batch,).
        channel_peak: (dim,), largest |h| of each channel.

    """

    values: dict[str, Tensor]
    channel_peak: Tensor


@torch.no_grad()
def measure_activations(hidden: Tensor, valid: Tensor) -> ActivationMeasurement:
    """Measure the output of one call of one module.

    Args:
        hidden: (batch, tokens, dim).
        valid: (batch, tokens), True where a token is no padding.

    """
    samples = [sample[mask].float() for sample, mask in zip(hidden, valid, strict=True)]
    rows = [_measure_sample(sample) for sample in samples if sample.numel()]
    values = {name: torch.stack([row[name] for row in rows]) for name in DEFINITIONS if rows}
    peaks = [sample.abs().amax(dim=0) for sample in samples if sample.numel()]
    peak = torch.stack(peaks).amax(dim=0) if peaks else hidden.new_zeros(hidden.shape[-1])
    return ActivationMeasurement(values, peak)


def _measure_sample(sample: Tensor) -> dict[str, Tensor]:
    flat = sample.flatten()
    centred = flat - flat.mean()
    variance = centred.square().mean()
    magnitude = flat.abs()
    threshold = (MASSIVE_RATIO * magnitude.median()).clamp(min=MASSIVE_MAGNITUDE)
    return {
        "kurtosis": centred.pow(4).mean() / (variance.square() + 1e-6),
        "inf_norm": magnitude.max(),
        "massive": (magnitude > threshold).sum().float(),
    }


def first_tensor(output: Any) -> Tensor | None:
    """Find the hidden states in what a module returned: a tensor, or the first in a sequence."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)) and output:
        return first_tensor(output[0])
    return None
