"""Descriptions of a layer as token vectors, without a network and without a download.

The vectors are the 256-d table `l2_supercat` that the package wordllama carries (MIT). Its files
are read directly: importing wordllama itself would cost 0.4 s and bring in code that can download.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pellucid.errors import DescriptionError, WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

TOKEN_WIDTH = 256
MAX_TOKENS = 32
MAX_CHARACTERS = 2000

_TABLE = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


@dataclass(frozen=True, eq=False)
class Description:
    """One description as the model reads it.

    Attributes:
        words: the words as typed, split at blanks.
        spans: for each word, the half-open range of its tokens.
        tokens: (N, 256) float32 token vectors, N >= 1.
        mask: (N,) bool, True where a token is real; all False when there is no description.
        cut: whether words were left out because the text was longer than 32 tokens.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    tokens: NDArray[np.float32]
    mask: NDArray[np.bool_]
    cut: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything was described."""
        return bool(self.words)


NO_DESCRIPTION = Description(
    words=(),
    spans=(),
    tokens=np.zeros((1, TOKEN_WIDTH), np.float32),
    mask=np.zeros(1, np.bool_),
)


class TextEncoder(Protocol):
    """Turns a description into token vectors; implementations must be safe to share by threads."""

    def encode(self, text: str | None) -> Description:
        """Encode one description; None or a blank text is `NO_DESCRIPTION`.

        Raises:
            DescriptionError: the text cannot be used.
        """
        ...


def normalise(text: str) -> str:
    """Return the text in NFC without control characters and lone surrogates, blanks collapsed.

    Raises:
        DescriptionError: the text is longer than 2000 characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise DescriptionError(
            f"the description has {len(text)} characters: "
            f"use at most {MAX_CHARACTERS}, a few words are enough"
        )
    kept = (_visible(character) for character in unicodedata.normalize("NFC", text))
    return " ".join("".join(kept).split())


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    # Cf: direction marks and joiners; Cs: halves of a surrogate pair. No word is lost with them.
    return "" if category in {"Cf", "Cs"} else character


class WordTable:
    """The shipped text encoder: a table of token vectors (implements `TextEncoder`).

    The 16 MB table is read on the first description, so that a separation without words stays
    quick. Use `word_table()` for the instance shared by the process.
    """

    def encode(self, text: str | None) -> Description:
        """Encode one description; see `TextEncoder.encode`."""
        clean = normalise(text) if text is not None else ""
        if not clean:
            return NO_DESCRIPTION
        tokenizer, table = _load_table()
        encoding = tokenizer.encode(clean, add_special_tokens=False)
        ids = encoding.ids[:MAX_TOKENS]
        words, spans = _words(clean, encoding.offsets[:MAX_TOKENS])
        return Description(
            words=words,
            spans=spans,
            tokens=table[ids].astype(np.float32),
            mask=np.ones(len(ids), np.bool_),
            cut=len(encoding.ids) > MAX_TOKENS,
        )


@lru_cache(maxsize=1)
def word_table() -> WordTable:
    """Return the process's own `WordTable`."""
    return WordTable()


@lru_cache(maxsize=1)
def _load_table() -> tuple[Tokenizer, NDArray[np.float16]]:
    folder = _wordllama_folder()
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        table = load_file(folder / _TABLE)["embedding.weight"]
    # tokenizers raises plain Exception for a missing or damaged file
    except Exception as error:
        raise WeightsError(
            f"the word table of the package wordllama cannot be read ({error}): "
            "reinstall it with `pip install --force-reinstall wordllama`"
        ) from error
    return tokenizer, table


def _wordllama_folder() -> Path:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            "descriptions need the package wordllama: install it with `pip install wordllama`"
        )
    return Path(spec.submodule_search_locations[0])


def _words(
    text: str, offsets: list[tuple[int, int]]
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Merge tokens into the words between blanks; offsets are the tokens' characters in text."""
    typed = text.split(" ")
    words: list[str] = []
    starts: list[int] = []
    current = -1
    for index, (_, end) in enumerate(offsets):
        # A token may begin with the blank before its word, or be that blank alone: the blanks up
        # to its end tell which word it belongs to.
        word = text.count(" ", 0, end)
        if word != current:
            current = word
            words.append(typed[word])
            starts.append(index)
    return tuple(words), tuple(pairwise([*starts, len(offsets)]))
