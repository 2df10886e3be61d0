"""Texts as the network reads them: the vectors of their tokens, padded to a batch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from pellucid.network.description import Description
from pellucid.text import TOKEN_WIDTH, word_table


def describe(captions: list[str]) -> Description:
    """Encode one text a photo ("" = nothing is said) and pad them to the longest."""
    encoded = [_encode(caption) for caption in captions]
    longest = max(len(tokens) for tokens in encoded)
    tokens = torch.zeros(len(captions), max(longest, 1), TOKEN_WIDTH)
    mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
    for row, vectors in enumerate(encoded):
        tokens[row, : len(vectors)] = torch.from_numpy(vectors)
        mask[row, : len(vectors)] = True
    return Description(tokens, mask)


@lru_cache(maxsize=100_000)
def meaning(caption: str) -> np.ndarray:
    """Return the mean of a caption's word vectors, (256,), of length 1."""
    mean = _encode(caption).mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-6)


@lru_cache(maxsize=100_000)
def _encode(caption: str) -> np.ndarray:
    description = word_table().encode(caption)
    return description.tokens[description.mask]
