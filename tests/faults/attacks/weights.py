"""Safetensors files that lie: the length, the header, the offsets, the tensors."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def safetensors(header: object, data: bytes = bytes(8), length: int | None = None) -> bytes:
    """A file with any header: bytes as they are, all else as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _with(**changes: object) -> bytes:
    return safetensors({"w": GOOD | changes})


class Opens:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def headers() -> dict[str, bytes]:
    """Every abuse of a header, by what it does."""
    return {
        "empty file": b"",
        "seven bytes": bytes(7),
        "header length of 2⁶⁴ − 1": safetensors(b"{}", length=2**64 - 1),
        "header longer than the file": safetensors(b"{}", length=10_000),
        "header of no length": safetensors(b"", length=0),
        "header that is no JSON": safetensors(b"\xff\xfe\0nonsense"),
        "header that is a list": safetensors([]),
        "header nested 100,000 deep": safetensors(b'{"a":' * 100_000),
        "unknown dtype": _with(dtype="X9"),
        "negative shape": _with(shape=[-2]),
        "shape whose product overflows": _with(shape=[2**40, 2**40]),
        "shape that does not fit its bytes": _with(shape=[3]),
        "offsets beyond the file": _with(data_offsets=[0, 10**12], shape=[25 * 10**10]),
        "offsets in reverse": _with(data_offsets=[8, 0]),
        "two tensors over the same bytes": safetensors({"w": GOOD, "v": GOOD}),
        "a hole between tensors": safetensors(
            {"w": GOOD, "v": GOOD | {"data_offsets": [16, 24]}}, bytes(24)
        ),
        "bytes behind the last tensor": safetensors({"w": GOOD}, bytes(24)),
        "metadata that is no text": safetensors({"__metadata__": {"a": 1}, "w": GOOD}),
    }


def same_name_twice() -> bytes:
    one = b'"w":' + json.dumps(GOOD).encode()
    return safetensors(b"{" + one + b"," + one + b"}")


def renamed_pickle(made: Path) -> bytes:
    """A pickle that makes the folder `made` where anybody unpickles it."""
    return pickle.dumps(Opens(made))
