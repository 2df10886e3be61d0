"""Carry out the jobs of `pellucid separate`, one photo at a time."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.cli.plan import STREAM, Job
from pellucid.errors import PhotoError
from pellucid.layer_files import FORMATS, Format, shown_by
from pellucid.photo import WriteOptions, read_photo, write_photo
from pellucid.photo.read import named
from pellucid.photo.write import replace_file
from pellucid.region import read_region
from pellucid.untrusted import printable

if TYPE_CHECKING:
    from pellucid.photo import Photo
    from pellucid.separation import Separation, WordMap
    from pellucid.separator import Separator


@dataclass(frozen=True)
class Settings:
    """What holds for every photo of a run."""

    transmission: str | None = None
    reflection: str | None = None
    strength: float = 100
    format: Format | None = None
    keep_gps: bool = True
    overwrite: bool = False
    region: str | None = None
    """Mask file that limits the effect."""


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
            separation, notes = self._separate(job)
        except PhotoError as error:
            return _failure(job, str(error))
        except BrokenPipeError:
            raise  # nobody reads standard output any more
        except OSError as error:
            return _failure(job, f"{job.source}: {error.strerror or error}: check the file")
        except MemoryError:
            return _failure(job, f"{job.source}: there is not enough memory: make it smaller")
        return _success(job, separation, notes, time.perf_counter() - begin)

    def _separate(self, job: Job) -> tuple[Separation, tuple[str, ...]]:
        self._check_targets(job)
        content = _from_stdin() if job.source == STREAM else None
        photo = read_photo(job.source if content is None else named(content, "<stdin>"))
        separation = self._separator.separate(
            photo,
            transmission=self._settings.transmission,
            reflection=self._settings.reflection,
        )
        if self._settings.region is not None:
            separation = separation.within(read_region(self._settings.region, photo.size))
        notes = photo.notes + separation.notes
        _make_folders(job)
        for layer, target in job.targets.items():
            if layer == "transmission" and self._keeps_file(photo, target):
                _copy(job.source if content is None else content, target)
            else:
                notes += self._write(shown_by(separation, layer, self._settings.strength), target)
        return separation, tuple(dict.fromkeys(notes))

    def _check_targets(self, job: Job) -> None:
        for target in job.targets.values():
            if target != STREAM and not self._settings.overwrite and Path(target).exists():
                raise PhotoError(
                    f"{target}: exists already: pass --overwrite to replace it, or choose another "
                    "folder with -o"
                )

    def _keeps_file(self, photo: Photo, target: str) -> bool:
        """Whether the target would be the photo's own file again, byte for byte."""
        if self._settings.strength != 0 or not self._settings.keep_gps:
            return False
        written = self._settings.format or FORMATS.get(Path(target).suffix.lower())
        if written is None:
            return target == STREAM  # which gets the photo's own format
        return written.pillow_name == photo.source_format

    def _write(self, photo: Photo, target: str) -> tuple[str, ...]:
        options = WriteOptions(keep_gps=self._settings.keep_gps)
        if target != STREAM:
            return write_photo(photo, Path(target), format=self._settings.format, options=options)
        encoded = io.BytesIO()
        notes = write_photo(photo, encoded, format=self._settings.format, options=options)
        _to_stdout(encoded.getvalue())
        return notes


def _make_folders(job: Job) -> None:
    for folder in {Path(target).parent for target in job.targets.values()}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PhotoError(
                f"{folder}: cannot be made ({error.strerror or error}): choose another with -o"
            ) from error


def _copy(source: str | bytes, target: str) -> None:
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    if target == STREAM:
        _to_stdout(content)
    else:
        replace_file(Path(target), content, printable(target))


def _from_stdin() -> bytes:
    if sys.stdin is None:
        raise PhotoError("<stdin>: standard input is closed: send a photo through it")
    return sys.stdin.buffer.read()


def _to_stdout(content: bytes) -> None:
    if sys.stdout is None:
        raise PhotoError("<stdout>: standard output is closed: name a file with -o")
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _failure(job: Job, reason: str) -> Outcome:
    return Outcome(False, reason, {"photo": job.source, "ok": False, "error": reason})


def _success(job: Job, separation: Separation, notes: tuple[str, ...], seconds: float) -> Outcome:
    targets = ("standard output" if job.to_stream else target for target in job.targets.values())
    line = "; ".join([f"{job.source} -> {', '.join(targets)} ({seconds:.1f} s)", *notes])
    record: dict[str, object] = {
        "photo": job.source,
        "ok": True,
        "size": list(separation.source.size),
        "outputs": job.targets,
        "gates": dataclasses.asdict(separation.gates),
        "words": {
            "transmission": _mean_weights(separation.word_maps.transmission),
            "reflection": _mean_weights(separation.word_maps.reflection),
        },
        "notes": list(notes),
        "seconds": round(seconds, 3),
    }
    return Outcome(True, line, record)


def _mean_weights(maps: tuple[WordMap, ...]) -> list[dict[str, object]]:
    return [{"word": word.word, "weight": float(word.weight.mean())} for word in maps]
