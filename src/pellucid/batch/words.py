"""What is said of each photo: one table for all, or a small file beside each.

- A table, CSV with a header or JSON lines: `photo`, `transmission`, `reflection`.
- Beside photo.jpg: photo.json or photo.jpg.json with the same two keys, or photo.txt, whose first
  line describes the transmission and whose second, if any, the reflection.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pellucid.batch.stores import Store
from pellucid.errors import DataError
from pellucid.untrusted import parse_json


@dataclass(frozen=True)
class Words:
    """Descriptions of both layers; None = not described."""

    transmission: str | None = None
    reflection: str | None = None


@dataclass(frozen=True)
class WordBook:
    """Words by photo; a photo's own come before those for all."""

    for_all: Words = field(default_factory=Words)
    table: dict[str, Words] = field(default_factory=dict)
    sidecars: frozenset[str] = frozenset()
    """Names of files that may be sidecars."""

    def find(self, photo: str, store: Store) -> Words:
        """Return what is said of a photo.

        Raises:
            DataError: its sidecar is not what it should be.
        """
        own = self.table.get(photo) or self._beside(photo, store) or self.for_all
        return Words(
            own.transmission or self.for_all.transmission, own.reflection or self.for_all.reflection
        )

    def _beside(self, photo: str, store: Store) -> Words | None:
        path = PurePosixPath(photo)
        for name in (f"{photo}.json", str(path.with_suffix(".json"))):
            if name in self.sidecars:
                return _from_json(store.read(name), name)
        name = str(path.with_suffix(".txt"))
        return _from_text(store.read(name)) if name in self.sidecars else None


def read_table(path: Path) -> dict[str, Words]:
    """Read a table of words, `.jsonl` or CSV.

    Raises:
        DataError: it is missing, not a table, names a photo twice or has no column `photo`.
    """
    try:
        text = path.read_text("utf-8-sig")
        rows = _json_lines(text) if path.suffix == ".jsonl" else list(_csv_rows(text))
        table: dict[str, Words] = {}
        for row in rows:
            photo = str(PurePosixPath(row["photo"]))
            if photo in table:
                raise DataError(f"{path}: {photo} is described twice: keep one line")
            table[photo] = _words(row)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check the name") from error
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(
            f"{path} is not a table of words ({error!r}): it needs the columns photo, "
            "transmission and reflection"
        ) from error
    return table


def _csv_rows(text: str) -> csv.DictReader[str]:
    return csv.DictReader(io.StringIO(text), strict=True)


def _json_lines(text: str) -> list[dict[str, Any]]:
    return [parse_json(line) for line in text.splitlines() if line.strip()]


def _words(row: dict[str, Any]) -> Words:
    said = (row.get(layer) for layer in ("transmission", "reflection"))
    return Words(*(None if text is None else str(text) for text in said))


def _from_json(content: bytes, name: str) -> Words:
    try:
        return _words(parse_json(content))
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{name} is no description ({error}): write "
            '{"transmission": "words", "reflection": "words"}'
        ) from error


def _from_text(content: bytes) -> Words:
    lines = [line.strip() for line in content.decode("utf-8-sig", "replace").splitlines()]
    first, second, *_ = *lines, "", ""
    return Words(first or None, second or None)
