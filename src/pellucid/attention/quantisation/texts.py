"""Batches of text to calibrate and to measure on, as each kind of language model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pellucid.attention.retrofit.language import (
    LanguageModel,
    hold_out,
    read_blocks,
    read_text,
)
from pellucid.attention.retrofit.objectives import MaskedObjective
from pellucid.errors import DataError

# The end of the text is measured on: this share of it, and no more sequences than this.
_HELD_OUT, _MOST = 1 / 3, 64

Batches = Sequence[Mapping[str, Any]]


def text_batches(
    language: LanguageModel, text: Path, *, size: int, length: int
) -> tuple[Batches, Batches]:
    """Read a text and split it into batches to calibrate on and batches to measure on.

    A model with a head gets blocks of equal length cut from all of the text, with labels: the
    tokens themselves, or for a masked model those behind its masks. A model without one gets a
    sequence a line, padded.

    Args:
        language: the model and its tokenizer.
        text: a UTF-8 file.
        size: sequences in a batch.
        length: tokens of a block, or the most that a line keeps.

    Raises:
        DataError: the file cannot be read, or holds too little.

    """
    if language.task == "distillation":
        learnt, measured = _split_lines(text)
        return _padded(language, learnt, size, length), _padded(language, measured, size, length)
    learnt, measured = hold_out(read_blocks(language.tokenizer, [text], length), _HELD_OUT, _MOST)
    return _labelled(language, learnt, size), _labelled(language, measured, size)


def _split_lines(text: Path) -> tuple[list[str], list[str]]:
    lines = [line for line in read_text(text).splitlines() if line.strip()]
    if len(lines) < 2:
        raise DataError(f"{text} holds fewer than two lines of text.")
    count = min(_MOST, max(1, round(_HELD_OUT * len(lines))))
    return lines[:-count], lines[-count:]


def _padded(language: LanguageModel, lines: Sequence[str], size: int, length: int) -> Batches:
    return [
        language.tokenizer(
            list(lines[start : start + size]),
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=length,
        )
        for start in range(0, len(lines), size)
    ]


def _labelled(language: LanguageModel, blocks: Tensor, size: int) -> Batches:
    batches = blocks.split(size)
    if language.task == "masked":
        blank = MaskedObjective(language.tokenizer.mask_token_id).blank
        return [blank(tokens) for tokens in batches]
    return [{"input_ids": tokens, "labels": tokens, "use_cache": False} for tokens in batches]
