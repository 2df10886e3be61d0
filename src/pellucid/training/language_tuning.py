"""Teach the words' way into a trained network anew, under any cross-attention.

To compare kinds of cross-attention in a whole separator at a cost that allows several: everything
that acts without words (encoder, hypercolumn, AGAM, recovery) stays as it is; the description
encoder and the language gate go on from there; AGIM starts anew from a seed. So networks that
differ in their cross-attention give the same layers without words, and the mixtures are looked at
once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pellucid.network.export import load_shipped_network
from pellucid.network.separation import NetworkConfig, Seen, SeparationNetwork
from pellucid.training.batches import BatchConfig, Batches, Group
from pellucid.training.objective import Objective, ObjectiveConfig
from pellucid.training.optimiser import cosine_fall
from pellucid.training.parts import HEARING, let_only_learn

Looked = tuple[Seen, Group]
"""What the network sees of a group of mixtures before a word is spoken, and the group."""


@dataclass(frozen=True)
class TuningConfig:
    """How much is looked at, and how long is learnt from it."""

    steps: int = 120
    groups: int = 40
    learning_rate: float = 1e-3
    """At the start; it falls along a cosine."""
    clip: float = 1.0
    batch: BatchConfig = field(default_factory=BatchConfig)
    objective: ObjectiveConfig = field(
        default_factory=lambda: ObjectiveConfig(perceived_share=0.25)
    )


def with_attention(
    weights: Path, config: NetworkConfig, attention: str, seed: int
) -> SeparationNetwork:
    """Return a trained network with a cross-attention of this kind that knows nothing yet.

    All kinds start from the same numbers but for their gates.

    Raises:
        WeightsError: the weights cannot be read, or are of another network.
        ConfigError: there is no attention of this name.
    """
    trained = load_shipped_network(weights, config).state_dict()
    torch.manual_seed(seed)
    start = SeparationNetwork(replace(config, attention="softmax")).state_dict()
    network = SeparationNetwork(replace(config, attention=attention))
    kept = {name: value for name, value in trained.items() if not name.startswith("interaction.")}
    network.load_state_dict(network.state_dict() | start | kept)
    return network


@torch.no_grad()
def look(network: SeparationNetwork, batches: Batches, groups: int) -> list[Looked]:
    """Look at mixtures without words."""
    made = (batches.group(0, number) for number in range(groups))
    return [(network.look(group.mixtures.mixture), group) for group in made]


def teach_words(
    network: SeparationNetwork, looked: Sequence[Looked], config: TuningConfig, seed: int
) -> None:
    """Teach description encoder, language gate and AGIM with the usual losses, in place."""
    let_only_learn(network, HEARING)
    objective = Objective(config.objective, network.config.channels)
    taught = [parameter for parameter in network.parameters() if parameter.requires_grad]
    taught += objective.embedding.parameters()
    optimiser = torch.optim.AdamW(taught, lr=config.learning_rate, weight_decay=1e-4)
    order = np.random.default_rng(seed)
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * cosine_fall(step / config.steps)
        seen, group = looked[int(order.integers(len(looked)))]
        about_t, about_r = group.transmission.description, group.reflection.description
        output = network.answer(group.mixtures.mixture, seen, about_t, about_r)
        total, _ = objective(network, output, group)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(taught, config.clip)
        optimiser.step()
    network.eval()
