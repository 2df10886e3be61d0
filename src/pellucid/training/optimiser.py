"""The optimiser: Muon for the matrices that are learnt from nothing, AdamW for everything else.

Muon (Jordan et al. 2024, `training/muon.py`) moves a matrix by the orthogonal part of its momentum,
so that no direction waits for the others. What it bought here: docs/lab-notes.md. A 1×1 convolution
is a matrix; depthwise filters, biases, heads and the pretrained encoder are left to AdamW.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.training.checkpoint import optimiser_tensors, restore_optimiser
from pellucid.training.muon import Muon
from pellucid.training.parts import RECOVERIES

_AT_FULL_RATE = ("objective.", *(f"network.{part}." for part in RECOVERIES))


@dataclass(frozen=True)
class OptimiserConfig:
    """Muon and AdamW with warm-up, then constant until the final decay."""

    learning_rate: float = 4e-4
    encoder_learning_rate: float = 1e-4
    """For the pretrained encoder, which should not forget what it knows."""
    guidance_learning_rate: float = 4e-4
    """For what lies between encoder and recovery: lower where words came first."""
    weight_decay: float = 1e-4
    warmup: int = 500
    decay_from: int = 10**9
    """Step at which the learning rate starts to fall along a cosine, to reach zero at `steps`."""
    clip: float = 1.0
    """Greatest norm of the gradient."""
    ema: float = 0.999


def learning_rate_scale(step: int, config: OptimiserConfig, steps: int) -> float:
    """Return the factor on the learning rates at a step: warm-up, constant, cosine decay."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    if step < config.decay_from:
        return warm
    fraction = (step - config.decay_from) / max(1, steps - config.decay_from)
    return warm * cosine_fall(min(1.0, fraction))


def cosine_fall(share: float) -> float:
    """Return the factor on a learning rate that falls from 1 to 0, at a share of the way."""
    return 0.5 * (1.0 + math.cos(math.pi * share))


class Optimiser:
    """Steps the named parameters of a network (`network.…`) and its objective (`objective.…`)."""

    def __init__(self, names: dict[Tensor, str], config: OptimiserConfig) -> None:
        self.config = config
        self._parameters = list(names)
        self._matrices = {_matrix(p): p for p, name in names.items() if _is_matrix(p, name)}
        self._matrix_names: dict[Tensor, str] = {
            matrix: names[p] for matrix, p in self._matrices.items()
        }
        taken = set(self._matrix_names.values())
        self._other_names = {p: name for p, name in names.items() if name not in taken}
        self._muon = Muon(self._groups(self._matrix_names), config.weight_decay)
        self._adamw = torch.optim.AdamW(
            self._groups(self._other_names), betas=(0.9, 0.99), weight_decay=config.weight_decay
        )

    def step(self, scale: float) -> bool:
        """Clip the gradients and take a step at `scale` times the learning rates.

        Returns:
            False, and nothing changes, if the gradient's norm is not a number.
        """
        norm = nn.utils.clip_grad_norm_(self._parameters, self.config.clip)
        if not torch.isfinite(norm):
            return False
        for matrix, parameter in self._matrices.items():
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for optimiser in (self._muon, self._adamw):
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * scale
            optimiser.step()
        return True

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Return all moments by parameter name."""
        return optimiser_tensors(self._muon, self._matrix_names) | optimiser_tensors(
            self._adamw, self._other_names
        )

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put moments back where `tensors` found them."""
        restore_optimiser(self._muon, self._matrix_names, tensors)
        restore_optimiser(self._adamw, self._other_names, tensors)

    def _groups(self, names: dict[Tensor, str]) -> list[dict[str, Any]]:
        members: dict[float, list[Tensor]] = {}
        for parameter, name in names.items():
            members.setdefault(self._rate(name), []).append(parameter)
        return [{"params": params, "base": rate, "lr": rate} for rate, params in members.items()]

    def _rate(self, name: str) -> float:
        if name.startswith("network.encoder."):
            return self.config.encoder_learning_rate
        if name.startswith(_AT_FULL_RATE):
            return self.config.learning_rate
        return self.config.guidance_learning_rate


def _is_matrix(parameter: Tensor, name: str) -> bool:
    """Whether Muon steps this parameter."""
    if name.startswith(("network.encoder.", "objective.")) or parameter.dim() not in (2, 4):
        return False
    return parameter[0, 0].numel() == 1 and min(parameter.shape[:2]) > 1


def _matrix(parameter: Tensor) -> nn.Parameter:
    """Return the same numbers as a matrix of their own, in the same memory."""
    return nn.Parameter(parameter.detach().flatten(1))
