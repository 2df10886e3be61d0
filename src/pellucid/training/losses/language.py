"""Losses that tie words to layers: contrastive, layer correspondence, and the language gate's own.

The paper (§3) names a contrastive loss (description ↔ layer) and a layer correspondence loss; the
formulas are not public. Ours, in the space of one `LayerEmbedding`:

- contrastive: InfoNCE over the group between clean layers and their descriptions, and between
  sentences and mixtures on the language gate's evidence;
- layer correspondence: a recovered layer is nearer to its own description than to the other's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

TEMPERATURE = 0.1


class LayerEmbedding(nn.Module):
    """Layers and sentences as unit vectors of one space (used in training only)."""

    def __init__(self, visual_channels: int, channels: int) -> None:
        super().__init__()
        self.visual = nn.Linear(visual_channels, channels)
        self.sentence = nn.Linear(channels, channels)

    def layer(self, pooled: Float[Tensor, "B V"]) -> Float[Tensor, "B C"]:
        """Embed pooled features of layers."""
        return F.normalize(self.visual(pooled), dim=-1, eps=1e-6)

    def words(self, sentence: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """Embed sentences."""
        return F.normalize(self.sentence(sentence), dim=-1, eps=1e-6)


def contrastive(
    likeness: Float[Tensor, "S B"], own: Float[Tensor, " S"], counted: Bool[Tensor, " S"]
) -> Float[Tensor, ""]:
    """InfoNCE: each counted sentence must pick its own photo among the group's.

    Args:
        likeness: Of every sentence to every photo, in [−1, 1].
        own: Index of each sentence's own photo.
        counted: Which sentences are given and right.
    """
    losses = F.cross_entropy(likeness / TEMPERATURE, own, reduction="none")
    return _mean_where(losses, counted)


def layer_correspondence(
    layer: Float[Tensor, "B C"],
    own_words: Float[Tensor, "B C"],
    other_words: Float[Tensor, "B C"],
    counted: Bool[Tensor, " B"],
) -> Float[Tensor, ""]:
    """Logistic loss on how much nearer each layer is to its own description."""
    margin = ((own_words - other_words) * layer).sum(dim=-1) / TEMPERATURE
    return _mean_where(F.softplus(-margin), counted)


ASSIGNMENT_GRID = 8
"""Places to a side at which layers are told apart: colours and large shapes, not detail."""


def assignment_error(
    output: Float[Tensor, "B 6 H W"], truth: Float[Tensor, "B 6 H W"], counted: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Logistic loss on which side of the middle of both layers each output lies.

    An output is nearer to its own layer than to the other's exactly if it lies on that layer's
    side. Of two equally strong layers, words alone can say which is which, and squared errors
    hardly ask.

    Args:
        output: Transmission and reflection as they came out, encoded.
        truth: As they are.
        counted: Which mixtures have a right description at least.
    """
    losses = F.softplus(-_sides(output, truth) / TEMPERATURE).mean(dim=0)
    return _mean_where(losses, counted)


def points_right(
    output: Float[Tensor, "B 6 H W"], truth: Float[Tensor, "B 6 H W"]
) -> Float[Tensor, " B"]:
    """Return the share of a mixture's outputs that are nearer to their own layer: 0, .5 or 1."""
    return (_sides(output, truth) > 0.0).float().mean(dim=0)


def _sides(
    output: Float[Tensor, "B 6 H W"], truth: Float[Tensor, "B 6 H W"]
) -> Float[Tensor, "2 B"]:
    """Return cosines of (output − middle) with (own layer − middle), transmission first."""
    transmission, reflection = _places(truth)
    middle = (transmission + reflection) / 2.0
    own = torch.stack([transmission, reflection]) - middle
    came = torch.stack(_places(output)) - middle
    return F.cosine_similarity(came, own, dim=-1, eps=1e-4)


def _places(layers: Float[Tensor, "B 6 H W"]) -> tuple[Tensor, Tensor]:
    """Return both layers at few places, as vectors."""
    transmission, reflection = F.adaptive_avg_pool2d(layers, ASSIGNMENT_GRID).chunk(2, dim=1)
    return transmission.flatten(1), reflection.flatten(1)


def gate_error(
    logit: Float[Tensor, " B"], right: Bool[Tensor, " B"], wrong: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Cross-entropy of the language gate: open for right descriptions, shut for wrong ones.

    Wrong ones are rarer, and count as much in all as the right ones would at equal numbers.
    """
    losses = F.binary_cross_entropy_with_logits(logit, right.to(logit.dtype), reduction="none")
    return 0.5 * (_mean_where(losses, right) + _mean_where(losses, wrong))


def verdict_error(logit: Float[Tensor, " B"], truth: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    """Cross-entropy of a verdict on the mixture's kind."""
    return F.binary_cross_entropy_with_logits(logit, truth.to(logit.dtype))


def _mean_where(losses: Float[Tensor, " B"], counted: Bool[Tensor, " B"]) -> Float[Tensor, ""]:
    weights = counted.to(losses.dtype)
    return torch.sum(losses * weights) / weights.sum().clamp(min=1.0)
