"""Where photos come from and layers go: a folder, or any filesystem that fsspec knows.

Names are relative, with forward slashes, as they stand in the manifest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from pellucid.errors import DataError, PhotoError
from pellucid.photo.limits import DEFAULT_LIMITS
from pellucid.photo.write import replace_file


class Store(Protocol):
    """A tree of files; implementations can be sent to other processes."""

    def names(self) -> Iterator[str]:
        """Give every file's name, hidden ones and their folders left out, in sorted order."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file's content; raises PhotoError."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make a file appear, whole or not at all, and its folders; raises PhotoError."""
        ...

    def exists(self, name: str) -> bool:
        """Tell whether there is such a file."""
        ...


@dataclass(frozen=True)
class FolderStore:
    """A folder on this machine."""

    folder: Path

    def names(self) -> Iterator[str]:
        """See `Store`. Links to folders are followed once each, so a loop ends."""
        return iter(sorted(self._walk()))

    def _walk(self) -> Iterator[str]:
        seen: set[tuple[int, int]] = set()
        waiting = [self.folder]
        while waiting:
            folder = waiting.pop()
            identity, folders, files = _entries(folder)
            if identity in seen:
                continue
            seen.add(identity)
            waiting += reversed(folders)  # in depth and by name, so that a link's place is certain
            yield from (path.relative_to(self.folder).as_posix() for path in files)

    def read(self, name: str) -> bytes:
        """See `Store`."""
        path = self.folder / name
        try:
            DEFAULT_LIMITS.check_bytes(name, path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise PhotoError(f"{name}: cannot be read ({error.strerror}): check it") from error

    def write(self, name: str, content: bytes) -> None:
        """See `Store`."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PhotoError(
                f"{name}: its folder cannot be made ({error.strerror}): check the output folder"
            ) from error
        replace_file(path, content, name)

    def exists(self, name: str) -> bool:
        """See `Store`."""
        return (self.folder / name).is_file()


@dataclass(frozen=True)
class RemoteStore:
    """A folder of a filesystem that fsspec knows, by a URL such as s3://bucket/photos."""

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    def _open(self) -> tuple[Any, str]:
        import fsspec  # pyright: ignore[reportMissingTypeStubs]

        filesystem, root = fsspec.url_to_fs(self.url, **self.options)
        return filesystem, root.rstrip("/")

    def names(self) -> Iterator[str]:
        """See `Store`."""
        filesystem, root = self._open()
        found = (path[len(root) :].lstrip("/") for path in filesystem.find(root))
        return iter(sorted(name for name in found if not _hidden(name)))

    def read(self, name: str) -> bytes:
        """See `Store`."""
        filesystem, root = self._open()
        try:
            return filesystem.cat_file(f"{root}/{name}")
        except OSError as error:
            raise PhotoError(f"{name}: cannot be read ({error}): check it") from error

    def write(self, name: str, content: bytes) -> None:
        """See `Store`. Object stores show an upload when it is whole; elsewhere it may be torn."""
        filesystem, root = self._open()
        target = f"{root}/{name}"
        try:
            filesystem.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            filesystem.pipe_file(target, content)
        except OSError as error:
            raise PhotoError(f"{name}: cannot be written ({error}): check the output") from error

    def exists(self, name: str) -> bool:
        """See `Store`."""
        filesystem, root = self._open()
        return bool(filesystem.isfile(f"{root}/{name}"))


def open_store(place: str) -> Store:
    """Return the store for a folder's name or an fsspec URL."""
    if "://" in place and not place.startswith("file://"):
        return RemoteStore(place)
    return FolderStore(Path(place.removeprefix("file://")))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _entries(folder: Path) -> tuple[tuple[int, int], list[Path], list[Path]]:
    """Return what tells a folder from all others, and its folders and files by name.

    Hidden ones are left out.
    """
    folders: list[Path] = []
    files: list[Path] = []
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be listed ({error.strerror})") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        # A link that leads to itself is neither, as one that leads nowhere.
        with contextlib.suppress(OSError):
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.is_file():
                files.append(Path(entry.path))
    return (status.st_dev, status.st_ino), folders, files
