"""Ambiguity: can the picture itself tell its layers apart?

The paper (arXiv:2402.11874, §3) speaks of a "recognizable layer ambiguity" and has no part for it.
Ours: in a double exposure of two sharp photos nothing but words says which layer is which, and
words must decide; a reflection in a window betrays itself by blur, place and strength, and words
need only hint. Which of the two a mixture is shows in its global tokens alone, so a small head
reads it there. It learns from mixtures whose kind is known, and from nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Ambiguity(nn.Module):
    """One logit for each photo: above 0 if only words can tell its layers apart."""

    def __init__(self, channels: int, tokens: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(tokens * channels, channels)
        self.logit = nn.Linear(channels, 1)

    def forward(self, tokens: Float[Tensor, "B K C"]) -> Float[Tensor, " B"]:
        """Return the logit from the K global tokens."""
        return self.logit(F.gelu(self.hidden(tokens.flatten(1))))[..., 0]


class Say(NamedTuple):
    """How much words have to say; all in [0, 1]."""

    both: Float[Tensor, " B"]
    """Whether two descriptions are believed: 1 once both gates are half open. One alone may be
    wrong, and two that fit the same photo hardly are."""
    decides: Float[Tensor, " B"]
    """How far they decide instead of hinting: `both` where the picture is ambiguous."""
    hints: Float[Tensor, " B"]
    """How far any description is followed without deciding."""


def say_of_words(
    ambiguity: Float[Tensor, " B"],
    transmission_gate: Float[Tensor, " B"],
    reflection_gate: Float[Tensor, " B"],
) -> Say:
    """Return how much words have to say.

    Args:
        ambiguity: logits; no gradient goes to them.
        transmission_gate: how far the description of the transmission is followed, in [0, 1].
        reflection_gate: the same for the reflection.
    """
    both = (2.0 * torch.minimum(transmission_gate, reflection_gate)).clamp(max=1.0)
    decides = both * torch.sigmoid(ambiguity).detach()
    return Say(both, decides, (1.0 - decides) * torch.maximum(transmission_gate, reflection_gate))
