"""Verdicts: what a photo as a whole says of itself, before a word is spoken.

Two questions are asked of the global tokens, each by a small head of its own:

*Ambiguity: can the picture itself tell its layers apart?* The paper (arXiv:2402.11874, §3) speaks
of a "recognizable layer ambiguity" and has no part for it. In a double exposure of two sharp photos
nothing but words says which layer is which, and words must decide; a reflection in a window betrays
itself by blur, place and strength, and words need only hint.

*Addition: is the picture the sum of its layers' light?* A camera's is; pictures made by adding
encoded values are not. What follows from it is in `network/addition.py`.

Both learn from mixtures whose kind is known, and from nothing else. Ours; what they bought is in
docs/lab-notes.md, "Seen both ways, and words that decide" and "A second opinion for everyone".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Verdict(nn.Module):
    """The answer to one question about each photo: a logit, above 0 for yes."""

    def __init__(self, channels: int, tokens: int, start: float) -> None:
        """Build one that says `start` of every photo until it is taught."""
        super().__init__()
        self.hidden = nn.Linear(tokens * channels, channels)
        self.logit = nn.Linear(channels, 1)
        nn.init.zeros_(self.logit.weight)
        nn.init.constant_(self.logit.bias, start)

    def forward(self, tokens: Float[Tensor, "B K C"]) -> Float[Tensor, " B"]:
        """Return the logit from the K global tokens."""
        return self.logit(F.gelu(self.hidden(tokens.flatten(1))))[..., 0]


CAUTION = 4.0
"""Off the logit of addition before heads agree: to take no sum for one costs some 4 dB, to miss one
a few tenths."""
ENCODED_BELOW = 1.0
"""Logit of addition below which a picture is taken for one whose encoded values were added."""
UNTAUGHT = -5.0, CAUTION
"""What untaught verdicts say of ambiguity and addition: nobody asks for words to decide, and a
camera took the picture."""


class Verdicts(NamedTuple):
    """Logits: above 0 for yes."""

    ambiguous: Float[Tensor, " B"]
    """Whether only words can tell the layers apart."""
    adds: Float[Tensor, " B"]
    """Whether the layers' light adds up to the mixture's."""


def agreement(verdicts: Verdicts) -> Float[Tensor, " B"]:
    """Return how far both heads should agree, in [0, 1]; no gradient goes to the verdicts.

    Where layers are mistaken for one another, what is left without R is no second opinion.
    """
    adds = torch.sigmoid(verdicts.adds - CAUTION) * ~encoded_values_added(verdicts)
    return (adds * torch.sigmoid(-verdicts.ambiguous)).detach()


def encoded_values_added(verdicts: Verdicts) -> Bool[Tensor, " B"]:
    """Return which pictures are no sums of light, but of encoded values."""
    return verdicts.adds < ENCODED_BELOW


class Say(NamedTuple):
    """How much words have to say; both in [0, 1]."""

    both: Float[Tensor, " B"]
    """Whether two descriptions are believed: 1 once both gates are half open. One alone may be
    wrong, and two that fit the same photo hardly are."""
    decides: Float[Tensor, " B"]
    """How far they decide instead of hinting: `both` where the picture is ambiguous."""


def say_of_words(
    verdicts: Verdicts,
    transmission_gate: Float[Tensor, " B"],
    reflection_gate: Float[Tensor, " B"],
) -> Say:
    """Return how much words have to say; no gradient goes to the verdicts.

    Args:
        verdicts: what the photo says.
        transmission_gate: how far the description of the transmission is followed, in [0, 1].
        reflection_gate: the same for the reflection.
    """
    both = (2.0 * torch.minimum(transmission_gate, reflection_gate)).clamp(max=1.0)
    return Say(both, both * torch.sigmoid(verdicts.ambiguous).detach())
