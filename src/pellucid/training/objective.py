"""The training objective: every loss of one group, weighted and summed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pellucid.network.language_gate import LanguageGate
from pellucid.network.light import to_encoded
from pellucid.network.recovery import Layers
from pellucid.network.separation import Heard, NetworkOutput, SeparationNetwork
from pellucid.training.batches import Group
from pellucid.training.losses.language import (
    LayerEmbedding,
    assignment_error,
    contrastive,
    gate_error,
    layer_correspondence,
    verdict_error,
)
from pellucid.training.losses.perception import Perception, perceptual_error
from pellucid.training.losses.reconstruction import (
    gradient_error,
    halve,
    recomposition_error,
    rms_error,
)

Losses = dict[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the losses; zero leaves a loss out."""

    transmission: float = 1.0
    reflection: float = 0.5
    gradient: float = 1.0
    recomposition: float = 0.2
    perceptual: float = 0.03
    contrastive: float = 0.05
    correspondence: float = 0.02
    assignment: float = 0.1
    gate: float = 0.1
    ambiguity: float = 0.02
    addition: float = 0.02
    perceived_share: float = 0.5
    """Share of each group that the frozen encoder looks at, at half resolution."""


class Objective(nn.Module):
    """Computes the losses; holds what only training needs (the embedding, the frozen encoder)."""

    def __init__(self, config: ObjectiveConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.perception = Perception()
        self.embedding = LayerEmbedding(self.perception.pooled_channels, channels)

    def forward(
        self, network: SeparationNetwork, output: NetworkOutput, group: Group
    ) -> tuple[Float[Tensor, ""], Losses]:
        """Return the weighted sum and every loss by its name in the configuration."""
        shown = Layers(*(to_encoded(layer) for layer in output.layers))
        truth = Layers(
            to_encoded(group.mixtures.transmission), to_encoded(group.mixtures.reflection)
        )
        verdicts = output.seen.verdicts
        losses = {
            "transmission": rms_error(shown.transmission, truth.transmission),
            "reflection": rms_error(shown.reflection, truth.reflection),
            "gradient": gradient_error(shown.transmission, truth.transmission)
            + 0.5 * gradient_error(shown.reflection, truth.reflection),
            "recomposition": recomposition_error(
                output.layers, group.mixtures.mixture, group.mixtures.adds
            ),
            "assignment": assignment_error(
                torch.cat(shown, 1), torch.cat(truth, 1), told_right(group)
            ),
            "gate": gate_losses(output.transmission, output.reflection, group),
            "ambiguity": verdict_error(verdicts.ambiguous, group.mixtures.ambiguous),
            "addition": verdict_error(verdicts.adds, group.mixtures.adds),
        }
        losses |= self._perceived(shown, truth, output, group)
        losses["contrastive"] = losses["contrastive"] + evidence_losses(
            network.language_gate, output.transmission, output.reflection, output.seen.tokens, group
        )
        total = torch.stack([getattr(self.config, name) * loss for name, loss in losses.items()])
        return total.sum(), losses

    def _perceived(
        self, shown: Layers, truth: Layers, output: NetworkOutput, group: Group
    ) -> Losses:
        """Look at some of the layers through the frozen encoder."""
        count = max(2, round(self.config.perceived_share * len(shown.transmission)))
        outputs = self.perception(
            halve(torch.cat([layer[:count].clamp(0.0, 1.0) for layer in shown]))
        )
        with torch.no_grad():
            truths = self.perception(halve(torch.cat([layer[:count] for layer in truth])))
        words_t = self.embedding.words(output.transmission.words.sentence[:count])
        words_r = self.embedding.words(output.reflection.words.sentence[:count])
        right_t, right_r = group.transmission.right[:count], group.reflection.right[:count]
        clean = self.embedding.layer(truths.pooled)
        own = torch.arange(2 * count, device=clean.device)
        both = right_t & right_r
        layer_t, layer_r = self.embedding.layer(outputs.pooled).chunk(2)
        return {
            "perceptual": perceptual_error(outputs.pyramid, truths.pyramid),
            "contrastive": contrastive(
                torch.cat([words_t, words_r]) @ clean.T, own, torch.cat([right_t, right_r])
            ),
            "correspondence": layer_correspondence(layer_t, words_t, words_r, both)
            + layer_correspondence(layer_r, words_r, words_t, both),
        }


def told_right(group: Group) -> Bool[Tensor, " B"]:
    """Return which mixtures have a right description of one layer at least."""
    return group.transmission.right | group.reflection.right


def gate_losses(about_t: Heard, about_r: Heard, group: Group) -> Float[Tensor, ""]:
    """Return the error of the language gate, mean over both layers."""
    pairs = ((about_t, group.transmission), (about_r, group.reflection))
    return torch.stack(
        [gate_error(heard.logit, told.right, told.wrong) for heard, told in pairs]
    ).mean()


def evidence_losses(
    gate: LanguageGate,
    about_t: Heard,
    about_r: Heard,
    tokens: Float[Tensor, "B K C"],
    group: Group,
) -> Float[Tensor, ""]:
    """Contrast sentences with mixtures, both layers' descriptions at once."""
    sentences = torch.cat([about_t.words.sentence, about_r.words.sentence])
    likeness = gate.evidence_matrix(sentences, tokens)
    own = torch.arange(len(tokens), device=sentences.device).repeat(2)
    counted = torch.cat([group.transmission.right, group.reflection.right])
    return contrastive(likeness, own, counted)
