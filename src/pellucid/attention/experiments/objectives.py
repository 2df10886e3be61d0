"""What a language model is asked for: the next token, or the tokens that were hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.experiments.source_text import END, MASK, START
from pellucid.errors import ConfigError

# Devlin et al. 2018, "BERT", §3.1: of the tokens asked for, most are hidden, some are replaced by
# another one and some stay.
ASKED, HIDDEN, REPLACED = 0.15, 0.8, 0.1
_IGNORED = -100


@dataclass(frozen=True)
class Example:
    """Sequences with their answers.

    Attributes:
        inputs: (batch, length).
        targets: (batch, length).
        asked: (batch, length), where an answer counts.

    """

    inputs: Int[Tensor, "batch length"]
    targets: Int[Tensor, "batch length"]
    asked: Bool[Tensor, "batch length"]


@dataclass(frozen=True)
class Objective:
    """One way to ask.

    Attributes:
        causal: a token sees no later one.
        ask: takes blocks of `source_text`, (batch, length + 1), the size of the vocabulary and a
            generator, and makes an example.

    """

    causal: bool
    ask: Callable[[Tensor, int, torch.Generator], Example]


def _ask_next(block: Tensor, _: int, __: torch.Generator) -> Example:
    return Example(block[:, :-1], block[:, 1:], torch.ones_like(block[:, 1:], dtype=torch.bool))


def _ask_hidden(block: Tensor, vocabulary: int, generator: torch.Generator) -> Example:
    """Put [SEP] at the end, choose tokens, and hide most of them."""
    targets = block[:, :-1].clone()
    targets[:, -1] = END
    chance = torch.rand(targets.shape, generator=generator)
    asked = (chance < ASKED) & (targets != START) & (targets != END)
    if not asked.any():
        asked[:, 1] = True
    others = torch.randint(MASK + 1, vocabulary, targets.shape, generator=generator)
    inputs = targets.masked_fill(asked & (chance < ASKED * HIDDEN), MASK)
    replaced = asked & (chance >= ASKED * HIDDEN) & (chance < ASKED * (HIDDEN + REPLACED))
    return Example(torch.where(replaced, others, inputs), targets, asked)


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {"next": Objective(True, _ask_next), "masked": Objective(False, _ask_hidden)}
)


def objective(name: str) -> Objective:
    """Return an objective by name.

    Raises:
        ConfigError: there is none of that name.

    """
    if name not in OBJECTIVES:
        raise ConfigError(f"There is no objective {name!r}: choose from {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]


def loss(model: nn.Module, example: Example) -> Tensor:
    """Mean cross-entropy of the tokens asked for, in nats."""
    targets = example.targets.masked_fill(~example.asked, _IGNORED)
    logits = model(example.inputs)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)
