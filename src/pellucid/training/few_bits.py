"""What computing with few bits costs a taught language path: simulated, at few places.

All linear layers of AGAM, the description encoder, the language gate and AGIM are quantised with
what goes in and what comes out, so queries, keys and values of the cross-attention too; its gates
are not, as in published work. Ranges come from mixtures that the path has learnt from, the loss
from others.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.quantisation import QuantisationConfig, quantise
from pellucid.training.batches import Group
from pellucid.training.captions import CaptionConfig
from pellucid.training.words_first import Glance, Glances, WordsFirst

SCHEMES = {
    "W8A8": QuantisationConfig(8, 8, kinds=("linear",)),
    "W4A8": QuantisationConfig(4, 8, kinds=("linear",)),
}
CALIBRATION_GROUPS = 4
MEASURED_GROUPS = 8

Shown = list[tuple[Glance, Group]]
"""Glances with what is said of them."""


class _Painting(nn.Module):
    """The stage as a module that can be quantised."""

    def __init__(self, stage: WordsFirst) -> None:
        super().__init__()
        self.network = stage.network  # registered, so that its layers are found
        self._paint = stage.paint

    def forward(self, glance: Glance, group: Group) -> Float[Tensor, "B 6 h w"]:
        return self._paint(glance, group).layers


@torch.no_grad()
def losses_in_bits(
    stage: WordsFirst, learnt: Glances, held_out: Glances, captions: CaptionConfig, seeds: int = 3
) -> dict[str, list[float]]:
    """Return the dB that both painted layers lose in each of `SCHEMES`, one for each calibration.

    Args:
        stage: a taught language path; it comes back as it was.
        learnt: glances to calibrate on, `CALIBRATION_GROUPS` of them for each seed.
        held_out: glances to measure on, the first `MEASURED_GROUPS` of them.
        captions: how they are described.
        seeds: calibrations.
    """
    painting = _Painting(stage)
    measured = _describe(held_out, range(min(len(held_out), MEASURED_GROUPS)), captions, 0)
    exact = _psnr(painting, measured)
    lost: dict[str, list[float]] = {name: [] for name in SCHEMES}
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).permutation(len(learnt))[:CALIBRATION_GROUPS]
        shown = _describe(learnt, chosen.tolist(), captions, seed)
        for name, config in SCHEMES.items():
            with quantise(painting, shown, config):
                lost[name].append(exact - _psnr(painting, measured))
    return lost


def _describe(
    glances: Glances, numbers: Iterable[int], captions: CaptionConfig, seed: int
) -> Shown:
    random = np.random.default_rng(seed)
    return [glances.told(number, captions, random) for number in numbers]


def _psnr(painting: nn.Module, shown: Shown) -> float:
    """Return the mean PSNR of mixtures, both layers as one picture."""
    errors = [
        (painting(glance, group) - glance.truth).square().mean(dim=(1, 2, 3))
        for glance, group in shown
    ]
    return float(-10.0 * torch.log10(torch.cat(errors).clamp(min=1e-6)).mean())
