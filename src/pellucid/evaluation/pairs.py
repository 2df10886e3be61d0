"""Photos with ground truth: what a pair is, and our own list of pairs, `pairs.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid.untrusted import parse_json


@dataclass(frozen=True)
class Descriptions:
    """Words for either layer, both or none."""

    transmission: str | None = None
    reflection: str | None = None


NO_WORDS = Descriptions()


@dataclass(frozen=True)
class Pair:
    """A mixture and the layers it is made of, as files; `None` where there is none."""

    name: str
    mixture: Path
    transmission: Path
    reflection: Path | None = None
    words: Descriptions = NO_WORDS
    peer_transmission: Path | None = None  # another method's published outputs for this photo
    peer_reflection: Path | None = None


def read_pairs_file(path: Path) -> list[Pair]:
    """Read one JSON object a line; file names are relative to the list's own folder.

    `id`, `mixture` and `transmission` are required; `reflection`, `transmission_text`,
    `reflection_text`, `peer_transmission` and `peer_reflection` may be null or left out.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from error
    pairs = [_read_line(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise DataError(f"{path}: lists no pair")
    names = [pair.name for pair in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the id {twice!r} occurs twice; ids must differ")
    return pairs


def _read_line(line: str, path: Path, number: int) -> Pair:
    where = f"{path}, line {number}"
    try:
        entry = parse_json(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg})") from error
    if not isinstance(entry, dict):
        raise DataError(f'{where}: expected an object such as {{"id": …, "mixture": …}}')

    def required(key: str) -> str:
        value = _text(entry, key, where)
        if value is None:
            raise DataError(f"{where}: {key!r} is missing")
        return value

    def file(key: str) -> Path | None:
        value = _text(entry, key, where)
        return None if value is None else _existing(path.parent / value, where)

    return Pair(
        name=required("id"),
        mixture=_existing(path.parent / required("mixture"), where),
        transmission=_existing(path.parent / required("transmission"), where),
        reflection=file("reflection"),
        words=Descriptions(
            _text(entry, "transmission_text", where), _text(entry, "reflection_text", where)
        ),
        peer_transmission=file("peer_transmission"),
        peer_reflection=file("peer_reflection"),
    )


def _text(entry: Mapping[str, object], key: str, where: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where}: {key!r} should be text or null, not {value!r}")
    return value


def _existing(path: Path, where: str) -> Path:
    if not path.is_file():
        raise DataError(f"{where}: {path.name} is not there")
    return path
