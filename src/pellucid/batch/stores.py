"""Where photos come from and layers go: a folder, or any filesystem that fsspec knows.

Names are relative, with forward slashes, as they stand in the manifest.
"""

from __future__ import annotations

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
        return iter(sorted(self._walk(self.folder, set())))

    def _walk(self, folder: Path, seen: set[str]) -> Iterator[str]:
        real = os.path.realpath(folder)
        if real in seen:
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{folder} cannot be listed ({error.strerror})") from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._walk(Path(entry.path), seen)
            elif entry.is_file():
                yield Path(entry.path).relative_to(self.folder).as_posix()

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
