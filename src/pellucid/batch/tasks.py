"""One photo of a batch: what is asked of it, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pellucid.errors import ConfigError
from pellucid.layer_files import FORMATS, Format, Layers, target_suffix
from pellucid.photo.formats import is_raw_suffix
from pellucid.untrusted import parse_json
from pellucid.upscaling import Layer

READ_ONLY_SUFFIXES = (".gif", ".bmp", ".dib")


@dataclass(frozen=True)
class BatchOptions:
    """What holds for every photo of a batch."""

    layers: Layers = Layers.BOTH
    strength: float = 100
    format: Format | None = None
    keep_gps: bool = True
    region: str | None = None
    """Mask that limits the effect, for photos of its shape."""


@dataclass(frozen=True)
class Task:
    """One photo, its words and where its layers go; all names relative, with forward slashes."""

    photo: str
    transmission: str | None
    reflection: str | None
    targets: dict[Layer, str]

    def key(self, content: bytes, options: BatchOptions, weights_id: str) -> str:
        """Return a digest of everything that the outputs depend on."""
        asked = asdict(self) | {"options": asdict(options), "weights": weights_id}
        asked["content"] = hashlib.sha256(content).hexdigest()
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Record:
    """A line of the manifest. It holds no times, so that equal work gives equal lines."""

    photo: str
    ok: bool
    key: str
    outputs: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    gates: dict[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    def line(self) -> str:
        """Return the record as one line of JSON; the same record always gives the same line."""
        return json.dumps(asdict(self), ensure_ascii=True, sort_keys=True)

    @staticmethod
    def parse(line: str) -> Record | None:
        """Read a line back; None if it is not one, as the last line of a killed run may be."""
        try:
            fields: dict[str, Any] = parse_json(line)
            fields["notes"] = tuple(fields["notes"])
            fields["size"] = tuple(fields["size"]) if fields["size"] else None
            return Record(**fields) if isinstance(fields["photo"], str) else None
        except (ValueError, TypeError, KeyError):
            return None


def is_photo(name: str) -> bool:
    """Whether a name's suffix is that of a photo that can be read."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in FORMATS or suffix in READ_ONLY_SUFFIXES or is_raw_suffix(suffix)


def targets(photo: str, options: BatchOptions) -> dict[Layer, str]:
    """Return the names of a photo's layers, in the same folder of the output.

    Where the suffix changes, the whole old name is kept before it, so that a.jpg and a.png, or a
    raw photo beside its TIFF, never meet in one file.
    """
    path = PurePosixPath(photo)
    suffix = target_suffix(path.suffix, options.format)
    stem = path.stem if suffix == path.suffix else path.name
    return {
        layer: str(path.with_name(f"{stem}.{layer}{suffix}")) for layer in options.layers.chosen
    }


def check_collisions(tasks: Iterable[Task]) -> None:
    """Raise ConfigError where two photos would be written to one file, whatever its case."""
    writers: dict[str, str] = {}
    for task in tasks:
        for target in task.targets.values():
            other = writers.setdefault(target.casefold(), task.photo)
            if other != task.photo:
                raise ConfigError(
                    f"{other} and {task.photo} would both be written to {target}: rename one"
                )
