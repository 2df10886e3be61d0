"""Files that appear whole or not at all, and files that keep other processes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.errors import PellucidError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def locked(path: Path, taken: PellucidError) -> Iterator[None]:
    """Hold a lock file meanwhile, where the system can lock files; it ends with the process.

    Raises `taken` if another process holds it, OSError if the file cannot be made.
    """
    if fcntl is None:
        yield
        return
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise taken from error
        yield


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; what is written there takes its place at the end.

    If the block raises, `path` is as it was and nothing is left behind. The folder must exist.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in its folder and move it into place."""
    with appearing_whole(path) as temporary:
        temporary.write_bytes(data)
