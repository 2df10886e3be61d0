"""Muon with its products in float32.

torch's own (`torch.optim.Muon`) orthogonalises in bfloat16, which a processor without such
instructions only imitates: half of a training step there. This one takes the same step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, chosen for their slope at zero (Jordan et al. 2024)."""
ITERATIONS = 5
SMALLEST = 1e-7


def orthogonalise(matrix: Float[Tensor, "M N"]) -> Float[Tensor, "M N"]:
    """Bring all singular values near 1 (within about .5 to 1.5), by Newton–Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / wide.norm().clamp(min=SMALLEST)
    first, third, fifth = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = wide @ wide.T
        wide = torch.addmm(
            wide, torch.addmm(gram, gram, gram, beta=third, alpha=fifth), wide, beta=first
        )
    return wide.T if tall else wide


class Muon(torch.optim.Optimizer):
    """Steps matrices by the orthogonal part of their Nesterov momentum.

    The step is 0.2·√(longer side) times the learning rate, so that AdamW's rates and weight decay
    fit ("Muon is scalable for LLM training", arXiv:2502.16982, §2.2).
    """

    def __init__(
        self, params: Iterable[dict[str, Any]], weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Step every matrix that has a gradient, at its group's `lr`."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, group)

    def _move(self, matrix: Float[Tensor, "M N"], group: dict[str, Any]) -> None:
        rate, momentum = group["lr"], group["momentum"]
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        mean = state["momentum_buffer"].lerp_(matrix.grad, 1.0 - momentum)
        direction = orthogonalise(matrix.grad.lerp(mean, momentum))  # pyright: ignore[reportOptionalMemberAccess]
        matrix.mul_(1.0 - rate * group["weight_decay"])
        matrix.add_(direction, alpha=-rate * 0.2 * math.sqrt(max(matrix.shape)))
