"""Text that is on every machine: the source of Python's own standard library, as characters."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from pellucid.errors import DataError

# Modules that are one file in Python 3.11 to 3.14.
MODULES = (
    *("ast", "bdb", "calendar", "codecs", "configparser", "difflib", "doctest", "fractions"),
    *("inspect", "mailbox", "optparse", "pdb", "pickle", "random", "shutil", "statistics"),
    *("subprocess", "tarfile", "threading", "turtle", "typing"),
)
HELD_OUT = ("argparse", "heapq", "textwrap")
START, OTHER = 0, 128
VOCABULARY = 129


@dataclass(frozen=True)
class SourceText:
    """Text as tokens: 1 to 127 are ASCII, 128 is any other byte, 0 is <s>.

    Attributes:
        tokens: to train on.
        held_out: to measure on.
        python: version that the text is of.
        sha256: of all of it, since versions differ.

    """

    tokens: Int[Tensor, "tokens"]
    held_out: Int[Tensor, "tokens"]
    python: str
    sha256: str


@cache
def source_text() -> SourceText:
    """Read the modules.

    Raises:
        DataError: a module is not there as a file.

    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    train, held_out = _read(folder, MODULES), _read(folder, HELD_OUT)
    digest = hashlib.sha256(train + held_out).hexdigest()
    return SourceText(_encode(train), _encode(held_out), platform.python_version(), digest)


def training_blocks(
    tokens: Int[Tensor, "tokens"], batch: int, length: int, seed: int
) -> Iterator[Int[Tensor, "batch length_1"]]:
    """Yield random pieces of the text, each after <s>; the last token is only a target."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        starts = torch.randint(len(tokens) - length, (batch,), generator=generator)
        yield _with_start(tokens, starts, length)


def even_blocks(
    tokens: Int[Tensor, "tokens"], count: int, length: int
) -> Int[Tensor, "count length_1"]:
    """Return pieces of the text at even distances."""
    return _with_start(tokens, torch.linspace(0, len(tokens) - length, count).long(), length)


def _with_start(tokens: Tensor, starts: Tensor, length: int) -> Tensor:
    pieces = tokens[starts[:, None] + torch.arange(length)]
    return torch.cat((torch.full((len(starts), 1), START), pieces), dim=1)


def _read(folder: Path, names: tuple[str, ...]) -> bytes:
    try:
        return b"".join((folder / f"{name}.py").read_bytes() for name in names)
    except OSError as error:
        raise DataError(
            f"{error.filename}: this Python's standard library is not there as files: run the "
            "experiment with a usual installation."
        ) from error


def _encode(text: bytes) -> Tensor:
    codes = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    return codes.clamp(min=1, max=OTHER)
