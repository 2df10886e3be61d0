"""Text that is on every machine: Python's manual, as `help()` shows it, in words and letters."""

from __future__ import annotations

import hashlib
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Int
from torch import Tensor

from pellucid.errors import DataError

START, OTHER, END, MASK = 0, 128, 129, 130
"""<s> or [CLS], a letter that is not ASCII, [SEP], [MASK]; 1 to 127 are ASCII."""
WORDS = 381
VOCABULARY = MASK + 1 + WORDS
# One topic of the manual in twelve is held out.
_HELD_OUT = 12
_PIECE = re.compile(r" ?[A-Za-z_]+| +|[0-9]+|.", re.DOTALL)


@dataclass(frozen=True)
class SourceText:
    """Text as tokens; the tokens after `MASK` are its most frequent words, others are spelt.

    Attributes:
        tokens: to train on.
        held_out: to measure on; no paragraph of it is in `tokens`.
        python: version that the text is of.
        sha256: of all of it, since versions differ.

    """

    tokens: Int[Tensor, "tokens"]
    held_out: Int[Tensor, "tokens"]
    python: str
    sha256: str


@cache
def source_text() -> SourceText:
    """Read the manual.

    Raises:
        DataError: this Python came without it.

    """
    train, held_out = _split(_topics())
    words = _frequent_words(train)
    digest = hashlib.sha256(f"{train}\0{held_out}".encode()).hexdigest()
    return SourceText(
        _encode(train, words), _encode(held_out, words), platform.python_version(), digest
    )


def training_blocks(
    tokens: Int[Tensor, "tokens"], batch: int, length: int, seed: int
) -> Iterator[Int[Tensor, "batch length_1"]]:
    """Yield random pieces of the text, each after <s>; one token more than `length`."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        starts = torch.randint(len(tokens) - length, (batch,), generator=generator)
        yield _with_start(tokens, starts, length)


def even_blocks(
    tokens: Int[Tensor, "tokens"], count: int, length: int
) -> Int[Tensor, "count length_1"]:
    """Return pieces of the text at even distances, as `training_blocks` does."""
    return _with_start(tokens, torch.linspace(0, len(tokens) - length, count).long(), length)


def _with_start(tokens: Tensor, starts: Tensor, length: int) -> Tensor:
    pieces = tokens[starts[:, None] + torch.arange(length)]
    return torch.cat((torch.full((len(starts), 1), START), pieces), dim=1)


def _topics() -> list[str]:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "This Python has no pydoc_data.topics, its manual: run the experiment with a usual "
            "installation."
        ) from error
    return [topics[name] for name in sorted(topics)]


def _split(topics: list[str]) -> tuple[str, str]:
    """Return the text to train on and the held-out one; topics repeat each other's paragraphs."""
    held_out = dict.fromkeys(_paragraphs(topics[::_HELD_OUT]))
    train = dict.fromkeys(_paragraphs(topics))
    return " ".join(p for p in train if p not in held_out), " ".join(held_out)


def _paragraphs(topics: Iterable[str]) -> Iterator[str]:
    for topic in topics:
        for paragraph in topic.split("\n\n"):
            yield " ".join(paragraph.split())


def _frequent_words(text: str) -> dict[str, int]:
    """Return the words that save most letters, with their tokens."""
    counts = Counter(piece for piece in _PIECE.findall(text) if len(piece) > 1)
    ranked = sorted(counts, key=lambda piece: (-counts[piece] * (len(piece) - 1), piece))
    return {piece: MASK + 1 + rank for rank, piece in enumerate(ranked[:WORDS])}


def _encode(text: str, words: dict[str, int]) -> Tensor:
    tokens: list[int] = []
    for piece in _PIECE.findall(text):
        if piece in words:
            tokens.append(words[piece])
        else:
            tokens += [min(max(ord(letter), 1), OTHER) for letter in piece]
    return torch.tensor(tokens)
