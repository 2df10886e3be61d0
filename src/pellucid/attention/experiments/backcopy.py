"""Bigram-Backcopy: the task in which attention needs to do nothing most of the time.

Guo et al. 2024, "Active-Dormant Attention Heads", arXiv:2410.13835. A sequence begins with <s>.
After a trigger the next character is the one before the trigger; after any other it is drawn from
a bigram table. The triggers are the three most frequent characters. Only at triggers is there
something to attend to.

Two choices of this library: the table is counted on fifteen sonnets of Shakespeare that come with
it (`sonnets.txt`, public domain, written down from memory and with modern spelling), read as a
ring so that every character has a successor; and the first character is no trigger, so that <s> is
never copied. A trigger then never follows a trigger.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from pellucid.errors import ConfigError

START = 0
"""Token of <s>."""


@dataclass(frozen=True)
class Batch:
    """Sequences, and what is known of their next characters.

    Attributes:
        tokens: (batch, length + 1); the last one is only a target.

    """

    tokens: Int[Tensor, "batch tokens"]

    @property
    def inputs(self) -> Int[Tensor, "batch length"]:
        """What the model sees."""
        return self.tokens[:, :-1]

    @property
    def targets(self) -> Int[Tensor, "batch length"]:
        """What it has to say."""
        return self.tokens[:, 1:]


class BackcopyTask:
    """The table of a text, and sequences drawn with it.

    Args:
        text: where the bigrams are counted.
        triggers: how many of the most frequent characters are triggers.

    Raises:
        ConfigError: the text has too few different characters.

    """

    def __init__(self, text: str, triggers: int = 3) -> None:
        characters = sorted(set(text), key=lambda c: (-text.count(c), c))
        if not 0 < triggers < len(characters):
            raise ConfigError(
                f"{triggers} triggers need a text of more different characters; this one has "
                f"{len(characters)}."
            )
        self.characters = characters
        self.vocabulary = len(characters) + 1
        self.triggers = triggers
        index = {character: number for number, character in enumerate(characters, start=1)}
        ids = torch.tensor([index[character] for character in text])
        counts = torch.zeros(self.vocabulary, self.vocabulary)
        counts.index_put_((ids, ids.roll(-1)), torch.ones(len(ids)), accumulate=True)
        # <s> is followed by characters as frequent as they are, but not by a trigger.
        counts[START] = torch.bincount(ids, minlength=self.vocabulary)
        counts[START, : triggers + 1] = 0
        self.table: Float[Tensor, "vocabulary vocabulary"] = counts / counts.sum(1, keepdim=True)

    def is_trigger(self, tokens: Tensor) -> Bool[Tensor, "..."]:
        """Tell which tokens are triggers; they have the lowest ids after <s>."""
        return (tokens > START) & (tokens <= self.triggers)

    def sample(self, batch: int, length: int, seed: int, step: int) -> Batch:
        """Draw sequences of `length` inputs; they depend on nothing but the arguments.

        Args:
            batch: sequences.
            length: inputs in each, <s> being the first.
            seed: of the run.
            step: of the run.

        """
        generator = torch.Generator().manual_seed(_mixed(seed, step))
        draws = torch.rand(length, batch, generator=generator)
        cumulative = self.table.cumsum(dim=1)
        tokens = torch.full((batch, length + 1), START)
        for position in range(length):
            current = tokens[:, position]
            drawn = (cumulative[current] < draws[position, :, None]).sum(dim=1)
            drawn = drawn.clamp(max=self.vocabulary - 1)
            copied = tokens[:, max(position - 1, 0)]
            tokens[:, position + 1] = torch.where(self.is_trigger(current), copied, drawn)
        return Batch(tokens)

    def risks(
        self, logits: Float[Tensor, "batch length vocabulary"], batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Compute the risk at triggers and elsewhere, in nats.

        Returns:
            Backcopy risk: mean −log p of the character to copy. Bigram risk: mean cross-entropy to
            the true row of the table, less that row's entropy, so that 0 is perfect for both.

        """
        log_p = F.log_softmax(logits, dim=-1)
        trigger = self.is_trigger(batch.inputs)
        copied = -log_p.gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1)
        rows = self.table[batch.inputs]
        entropy = torch.special.entr(rows).sum(-1)
        bigram = -(rows * log_p).sum(-1) - entropy
        return copied[trigger].mean(), bigram[~trigger].mean()


def _mixed(seed: int, step: int) -> int:
    """Return 32 bits of both, for torch's generator looks at no more."""
    digest = hashlib.sha256(f"{seed},{step}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


@cache
def sonnet_task() -> BackcopyTask:
    """Return the task with the table of the text that comes with the library."""
    text = (
        resources.files("pellucid.attention.experiments")
        .joinpath("sonnets.txt")
        .read_text(encoding="utf-8")
    )
    return BackcopyTask(text)
