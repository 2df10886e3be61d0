"""The language gate: does this description speak of anything in this photo?

The paper (§3) has the gate "stop detrimental guidance" and prints no equation. Our design: the
sentence looks for itself among the photo's global tokens (attention over G); how well it finds
itself there, cos(sentence, what it found), is the *evidence*. The contrastive loss trains that
evidence over all pairs of a batch, and the gate is a logistic function of it and of the two
vectors, so a description of another photo closes the gate.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.description import Words

SHARPNESS = 10.0
"""Inverse temperature of the sentence's search among the global tokens."""


class LanguageGate(nn.Module):
    """One gate in [0, 1] for each photo and description."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sentence = nn.Linear(channels, channels)
        self.visual = nn.Linear(channels, channels)
        self.hidden = nn.Linear(3 * channels, channels)
        self.logit = nn.Linear(channels + 1, 1)

    def forward(
        self, words: Words, tokens: Float[Tensor, "B K C"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return the gate's logit and its value; the value of a missing description is 0."""
        sentence, found = self.find(words.sentence, tokens)
        evidence = (sentence * found).sum(dim=-1, keepdim=True)
        pair = torch.cat([sentence, found, sentence * found * sentence.shape[-1] ** 0.5], dim=-1)
        hidden = F.gelu(self.hidden(pair))
        logit = self.logit(torch.cat([hidden, SHARPNESS * evidence], dim=-1))[..., 0]
        return logit, torch.sigmoid(logit) * words.mask.any(dim=1)

    def find(
        self, sentence: Float[Tensor, "B C"], tokens: Float[Tensor, "B K C"]
    ) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B C"]]:
        """Return the unit vectors of the sentence and of what it found among the tokens."""
        direction, seen = self._directions(sentence, tokens)
        likeness = (seen * direction[:, None]).sum(dim=-1)
        weights = torch.softmax(SHARPNESS * likeness, dim=-1)
        found = F.normalize((weights[..., None] * seen).sum(dim=-2), dim=-1, eps=1e-6)
        return direction, found

    def evidence_matrix(
        self, sentences: Float[Tensor, "S C"], tokens: Float[Tensor, "B K C"]
    ) -> Float[Tensor, "S B"]:
        """Return the evidence of every sentence in every photo, in [−1, 1]."""
        direction, seen = self._directions(sentences, tokens)
        likeness = torch.einsum("sc,bkc->sbk", direction, seen)
        weights = torch.softmax(SHARPNESS * likeness, dim=-1)
        found = F.normalize(torch.einsum("sbk,bkc->sbc", weights, seen), dim=-1, eps=1e-6)
        return torch.einsum("sc,sbc->sb", direction, found)

    def _directions(
        self, sentences: Float[Tensor, "S C"], tokens: Float[Tensor, "B K C"]
    ) -> tuple[Float[Tensor, "S C"], Float[Tensor, "B K C"]]:
        """Return sentences and global tokens as unit vectors of the space in which they meet."""
        direction = F.normalize(self.sentence(sentences), dim=-1, eps=1e-6)
        return direction, F.normalize(self.visual(tokens), dim=-1, eps=1e-6)
