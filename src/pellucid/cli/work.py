"""Carry out the jobs of `pellucid separate`, one photo at a time."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pellucid.cli.plan import STREAM, Format, Job
from pellucid.errors import PhotoError
from pellucid.photo import Photo, read_photo, write_photo
from pellucid.upscaling import Layer

if TYPE_CHECKING:
    from pellucid.separation import Separation, WordMap
    from pellucid.separator import Separator


@dataclass(frozen=True)
class Settings:
    """What holds for every photo of a run."""

    transmission: str | None = None
    reflection: str | None = None
    strength: float = 100
    format: Format | None = None
    no_gps: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one photo, for a person (`line`) and for a program (`record`)."""

    ok: bool
    line: str
    record: dict[str, object]


class Worker:
    """Separates photos with one model and one set of settings."""

    def __init__(self, separator: Separator, settings: Settings) -> None:
        """Keep the model and the settings."""
        self._separator = separator
        self._settings = settings

    def work(self, job: Job) -> Outcome:
        """Separate one photo and write its layers; never raises for what is wrong with a photo."""
        begin = time.perf_counter()
        try:
            separation = self._separate(job)
        except PhotoError as error:
            return _failure(job, str(error))
        except MemoryError:
            return _failure(job, f"{job.source}: not enough memory: make the photo smaller")
        return _success(job, separation, time.perf_counter() - begin)

    def _separate(self, job: Job) -> Separation:
        self._check_targets(job)
        source = sys.stdin.buffer.read() if job.source == STREAM else None
        photo = read_photo(job.source if source is None else io.BytesIO(source))
        if self._settings.no_gps:
            photo = dataclasses.replace(photo, metadata=photo.metadata.without_gps())
        separation = self._separator.separate(
            photo,
            transmission=self._settings.transmission,
            reflection=self._settings.reflection,
        )
        for layer, target in job.targets.items():
            self._write(separation, layer, target, source)
        return separation

    def _check_targets(self, job: Job) -> None:
        if self._settings.overwrite:
            return
        for target in job.targets.values():
            if target != STREAM and Path(target).exists():
                raise PhotoError(
                    f"{target} exists already: pass --overwrite to replace it, or choose another "
                    "folder with -o"
                )
