"""Descriptions: word vectors from any text encoder become words in the network's width.

The text encoder itself (wordllama's table, CLIP, …) stays outside the network; all it has to give
is one vector a token and a mask, as a `Description`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Description(NamedTuple):
    """What is said of one layer, for each photo of a batch.

    A missing description is a row whose mask is False throughout.
    """

    tokens: Float[Tensor, "B N D"]
    mask: Bool[Tensor, "B N"]

    @property
    def given(self) -> Bool[Tensor, " B"]:
        """Whether each photo has a description of this layer."""
        return self.mask.any(dim=1)


class Words(NamedTuple):
    """A description in the network's width; masked words and missing sentences are zero."""

    words: Float[Tensor, "B N C"]
    mask: Bool[Tensor, "B N"]
    sentence: Float[Tensor, "B C"]


class DescriptionEncoder(nn.Module):
    """Token vectors → words, with a look at both neighbours, since a token is often part of a word.

    The paper (§3) uses CLIP's transformer, layer normalisation and a linear projection to one
    vector; with a static table of token vectors, a convolution over the tokens does its mixing.
    """

    def __init__(self, token_channels: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(token_channels, channels)
        self.norm = nn.LayerNorm(channels)
        self.mix = nn.Conv1d(channels, channels, 3, padding=1)
        self.out = nn.Linear(channels, channels)

    def forward(self, description: Description) -> Words:
        """Encode; every position that the mask leaves out is exactly zero."""
        keep = description.mask[..., None].to(description.tokens.dtype)
        projected = self.norm(self.project(description.tokens)) * keep
        mixed = self.mix(projected.transpose(1, 2)).transpose(1, 2)
        words = (projected + self.out(F.gelu(mixed))) * keep
        sentence = words.sum(dim=1) / keep.sum(dim=1).clamp(min=1.0)
        return Words(words, description.mask, sentence)


def no_description(batch: int, token_channels: int, device: torch.device) -> Description:
    """Return the description that says nothing, for `batch` photos."""
    return Description(
        torch.zeros(batch, 1, token_channels, device=device),
        torch.zeros(batch, 1, dtype=torch.bool, device=device),
    )
