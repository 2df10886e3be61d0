"""Whether a gate starts as the identity, and how to make it start so."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from pellucid.attention.gate import GateSpec, gate_preset
from pellucid.errors import ConfigError


def starting_at_identity(spec: GateSpec | str) -> GateSpec:
    """Change a gate's initial weight and its gain so that every gate starts at 1.

    The weight starts at zero, and the gain is 1/σ(b): 2 without a bias (2σ), 1/π for a bias that
    opens the gate to π (Bondarenko et al. 2023, App. B.6). A gate that starts at 1 with a large
    bias and no gain would have no gradient; with this gain it has that of σ at b.

    Raises:
        ConfigError: the activation is zero or negative at the start, so that no gain can help, or
            there is no preset of that name.

    """
    spec = gate_preset(spec) if isinstance(spec, str) else spec
    start = _activation_at(spec.bias or 0.0, spec)
    if start <= 0:
        raise ConfigError(
            f"A {spec.activation} gate with bias {spec.bias} starts at {start:.3g}, so it cannot "
            "start as the identity: use activation='sigmoid', or a positive bias."
        )
    return replace(spec, gain=1.0 / start, weight_std=0.0)


def why_not_identity(spec: GateSpec, dtype: torch.dtype = torch.float32) -> str | None:
    """Say why a fresh gate of this spec is not exactly 1 in `dtype`; None if it is."""
    if spec.weight_std != 0.0:
        return (
            "the gate's weights start at random, so every token has a gate of its own: "
            "use weight_std=0"
        )
    logit = torch.tensor(spec.bias or 0.0, dtype=dtype)
    activation = logit * torch.sigmoid(logit) if spec.activation == "silu" else logit.sigmoid()
    start = float(activation * spec.gain)
    if start == 1.0:
        return None
    if math.isclose(start, 1.0, rel_tol=4 * torch.finfo(dtype).eps):
        return f"every gate starts at 1 but for the rounding of {dtype} ({start - 1.0:+.1e})"
    return (
        f"every gate starts at {start:.4g}, not at 1: "
        "use starting_at_identity(spec), which sets the gain"
    )


def _activation_at(logit: float, spec: GateSpec) -> float:
    sigmoid = 1.0 / (1.0 + math.exp(-logit))
    return logit * sigmoid if spec.activation == "silu" else sigmoid
