"""Words first: teach the language path on small mixtures before the whole network is trained.

Most of a training step goes into the encoder and the decoder, while words need many mixtures in
which nothing but words tells the layers apart. So the encoder looks at some thousands of mixtures
once; then everything between encoder and decoder (hypercolumn, AGAM, description, language gate,
AGIM) learns from what it saw, with new words each time, to paint both layers at 8×8 places. A step
costs about a tenth of a whole one. Measured: docs/lab-notes.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.network.hypercolumn import stack
from pellucid.network.light import to_encoded
from pellucid.network.separation import Heard, SeparationNetwork
from pellucid.network.verdicts import say_of_words
from pellucid.synthesis.mixture import Mixtures
from pellucid.synthesis.recipes import SHARP, SYMMETRIC, SynthesisConfig
from pellucid.training.batches import BatchConfig, Batches, Group, Told, to_device
from pellucid.training.captions import CaptionConfig
from pellucid.training.losses.language import (
    ASSIGNMENT_GRID,
    LayerEmbedding,
    assignment_error,
    contrastive,
    layer_correspondence,
    points_right,
)
from pellucid.training.losses.reconstruction import rms_error
from pellucid.training.objective import evidence_losses, gate_losses, told_right
from pellucid.training.optimiser import cosine_fall
from pellucid.training.parts import RECOVERIES, VERDICTS
from pellucid.training.photos import PhotoStore

SHOWN = SynthesisConfig(recipes=(replace(SYMMETRIC, share=0.7), replace(SHARP, share=0.3)))
SAID = CaptionConfig(dropped=0.1, noun=0.05, template=0.1)
"""Nearly always whole sentences, nearly always right: single nouns and silence teach few words."""

UNTAUGHT = ("encoder", *RECOVERIES, *VERDICTS)
"""Parts that do not learn here: the verdicts would see two kinds of mixtures of seven."""


@dataclass(frozen=True)
class WordsFirstConfig:
    """How much is looked at, and how long is learnt from it."""

    groups: int = 0
    """Groups of mixtures that the encoder looks at; 0 leaves the stage out."""
    held_out: int = 4
    """Groups of mixtures of validation photos, to measure on."""
    rounds: int = 8
    """How often the language path goes through all groups."""
    places: int = ASSIGNMENT_GRID
    """Places to a side of what is kept of a mixture."""
    learning_rate: float = 3e-3
    assignment: float = 0.05
    gate: float = 0.1
    contrastive: float = 0.2
    """Weights of the losses beside that of the layers themselves."""
    correspondence: float = 0.0
    """Weight of the trainer's layer correspondence, on painted layers; 0 leaves it out. What it
    does: docs/ablation.md."""
    seed: int = 0
    batch: BatchConfig = field(
        default_factory=lambda: BatchConfig(group=64, captions=SAID, synthesis=SHOWN)
    )


@dataclass(frozen=True)
class Glance:
    """What is kept of one group of mixtures."""

    stacked: Float[Tensor, "B P h w"]
    """The encoder's levels, half precision."""
    truth: Float[Tensor, "B 6 h w"]
    """Both layers, encoded."""
    mixtures: Mixtures
    """Without pixels: recipes and what adds."""
    photos: tuple[np.ndarray, np.ndarray]
    """Numbers of the photos behind and mirrored."""


class Painted(NamedTuple):
    """Both layers as painted from one glance, and how the words were heard."""

    layers: Float[Tensor, "B 6 h w"]
    transmission: Heard
    reflection: Heard
    tokens: Float[Tensor, "B K C"]


class SmallPainter(nn.Module):
    """Paints both layers at the places of the features; used in this stage only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2 * channels, channels, 1)
        self.out = nn.Conv2d(channels, 6, 1)

    def forward(
        self, transmission: Float[Tensor, "B C h w"], reflection: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B 6 h w"]:
        """Return both layers, encoded."""
        return self.out(F.gelu(self.mix(torch.cat([transmission, reflection], dim=1))))


class Glances:
    """Groups of mixtures as the encoder saw them, and what may be said of them."""

    @torch.no_grad()
    def __init__(
        self, network: SeparationNetwork, store: PhotoStore, config: WordsFirstConfig, groups: int
    ) -> None:
        self.batches = Batches(store, config.batch, config.seed)
        self.places = config.places
        self.device = next(network.parameters()).device
        seeds = (np.random.default_rng((config.seed, number)) for number in range(groups))
        self.seen = [self._look(network, random) for random in seeds]

    def __len__(self) -> int:
        return len(self.seen)

    def told(
        self, number: int, captions: CaptionConfig, random: np.random.Generator
    ) -> tuple[Glance, Group]:
        """Return one group's glance, and words drawn anew for it."""
        seen = self.seen[number]
        told = self.batches.tell(seen.mixtures.recipe, seen.photos, captions, random)
        return seen, to_device(Group(seen.mixtures, *told), self.device)

    def _look(self, network: SeparationNetwork, random: np.random.Generator) -> Glance:
        mixtures, behind, mirrored = self.batches.mix(random)
        pyramid = network.encoder(mixtures.mixture.to(self.device))
        truth = torch.cat([to_encoded(mixtures.transmission), to_encoded(mixtures.reflection)], 1)
        nothing = torch.empty(len(truth), 3, 0, 0)  # a slice would keep all pixels in memory
        return Glance(
            F.adaptive_avg_pool2d(stack(pyramid), self.places).half(),
            F.adaptive_avg_pool2d(truth, self.places).to(self.device),
            mixtures._replace(mixture=nothing, transmission=nothing, reflection=nothing),
            (behind, mirrored),
        )


class Unspoken(Glances):
    """The same glances, of which nothing is ever said."""

    def __init__(self, glances: Glances) -> None:
        self.batches, self.device = glances.batches, glances.device
        self.places, self.seen = glances.places, glances.seen

    def told(
        self, number: int, captions: CaptionConfig, random: np.random.Generator
    ) -> tuple[Glance, Group]:
        """Return one group's glance and no words."""
        seen, group = super().told(number, captions, random)
        return seen, silent(group)


def silent(group: Group) -> Group:
    """Return the group with nothing said."""

    def silence(told: Told) -> Told:
        mask = torch.zeros_like(told.description.mask)
        nothing = torch.zeros_like(told.right)
        return Told(told.description._replace(mask=mask), right=nothing, wrong=nothing)

    return replace(
        group, transmission=silence(group.transmission), reflection=silence(group.reflection)
    )


class WordsFirst:
    """The stage itself."""

    def __init__(self, network: SeparationNetwork, config: WordsFirstConfig) -> None:
        self.network = network
        self.config = config
        device = next(network.parameters()).device
        channels = network.config.channels
        self.painter = SmallPainter(channels).to(device)
        self.embedding = LayerEmbedding(3 * ASSIGNMENT_GRID**2, channels).to(device)
        taught = [
            parameter
            for name, parameter in network.named_parameters()
            if name.split(".")[0] not in UNTAUGHT and parameter.requires_grad
        ]
        self.optimiser = torch.optim.AdamW(
            [*taught, *self.painter.parameters(), *self.embedding.parameters()],
            lr=config.learning_rate,
            weight_decay=1e-2,
        )

    def learn(self, glances: Glances, number: int) -> None:
        """Go through all glances once more, with new words; the rate falls over all rounds."""
        config = self.config
        random = np.random.default_rng((config.seed, number))
        for index, chosen in enumerate(random.permutation(len(glances))):
            share = (number * len(glances) + index) / (config.rounds * len(glances))
            for group in self.optimiser.param_groups:
                group["lr"] = config.learning_rate * cosine_fall(share)
            self._step(*glances.told(int(chosen), config.batch.captions, random))

    @torch.no_grad()
    def told_apart(self, glances: Glances) -> float:
        """Return the share of outputs nearer to their own layer: symmetric mixtures with words."""
        random = np.random.default_rng(self.config.seed)
        hits: list[float] = []
        for number in range(len(glances)):
            glance, group = glances.told(number, self.config.batch.captions, random)
            asked = told_right(group) & (glance.mixtures.recipe == 0).to(glances.device)
            hits += points_right(self.paint(glance, group).layers, glance.truth)[asked].tolist()
        return sum(hits) / max(1, len(hits))

    def paint(self, glance: Glance, group: Group) -> Painted:
        """Paint both layers from one glance and what is said."""
        network = self.network
        features = network.hypercolumn.merge(glance.stacked.float())
        features, tokens = network.aggregation(features)
        about_t = network.listen(group.transmission.description, tokens)
        about_r = network.listen(group.reflection.description, tokens)
        say = say_of_words(network.judge(tokens), about_t.gate, about_r.gate)
        guided = network.guide(features, about_t, about_r, say)
        layers = self.painter(guided.transmission, guided.reflection)
        return Painted(layers, about_t, about_r, tokens)

    def _step(self, glance: Glance, group: Group) -> None:
        painted = self.paint(glance, group)
        layers, about_t, about_r, tokens = painted
        gate, config = self.network.language_gate, self.config
        loss = (
            rms_error(layers, glance.truth)
            + config.assignment * assignment_error(layers, glance.truth, told_right(group))
            + config.gate * gate_losses(about_t, about_r, group)
            + config.contrastive * evidence_losses(gate, about_t, about_r, tokens, group)
        )
        if config.correspondence:
            loss = loss + config.correspondence * self._correspondence(painted, glance, group)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def _correspondence(self, painted: Painted, glance: Glance, group: Group) -> Float[Tensor, ""]:
        """Match true layers and descriptions; then ask the painted layers for their own."""
        words_t, words_r = (
            self.embedding.words(about.words.sentence)
            for about in (painted.transmission, painted.reflection)
        )
        right_t, right_r = group.transmission.right, group.reflection.right
        truth = self._embed(glance.truth)
        own = torch.arange(len(truth), device=truth.device)
        likeness = torch.cat([words_t, words_r]) @ truth.T
        matched = contrastive(likeness, own, torch.cat([right_t, right_r]))
        layer_t, layer_r = self._embed(painted.layers).chunk(2)
        both = right_t & right_r
        return (
            matched
            + layer_correspondence(layer_t, words_t, words_r, both)
            + layer_correspondence(layer_r, words_r, words_t, both)
        )

    def _embed(self, layers: Float[Tensor, "B 6 h w"]) -> Float[Tensor, "B2 C"]:
        """Embed all transmissions, then all reflections."""
        both = torch.cat(F.adaptive_avg_pool2d(layers, ASSIGNMENT_GRID).chunk(2, dim=1))
        return self.embedding.layer(both.flatten(1))
