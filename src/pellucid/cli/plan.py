"""Decide what `pellucid separate` reads and writes, before any work: which photo, which files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.layer_files import FORMATS, Format, Layers, target_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pellucid.upscaling import Layer

STREAM = "-"


class Device(StrEnum):
    """Where the network runs."""

    CPU = "cpu"
    CUDA = "cuda"


class PlanError(ValueError):
    """The command line asks for something that cannot be done; no photo was touched."""


@dataclass(frozen=True)
class Job:
    """One photo and where its layers go; `-` is a standard stream."""

    source: str
    targets: dict[Layer, str]

    @property
    def to_stream(self) -> bool:
        """Whether a picture goes to standard output."""
        return STREAM in self.targets.values()


def plan(
    photos: Sequence[str],
    *,
    output: str | None = None,
    layers: Layers | None = None,
    format: Format | None = None,
) -> list[Job]:
    """Return a job a photo, in the order given.

    Raises:
        PlanError: the arguments contradict each other, the folder of a named file is missing, or
            two outputs, or an output and an input, are the same file.
    """
    chosen = _chosen_layers(photos, output, layers)
    if STREAM in photos and len(photos) > 1:
        raise PlanError("'-' (standard input) must be the only photo: run the others separately")
    if _to_stream(photos, output):
        if len(photos) > 1 or len(chosen) > 1:
            raise PlanError(
                "standard output holds one picture: give one photo and one of "
                "`--layers transmission` and `--layers reflection`"
            )
        return [Job(photos[0], {chosen[0]: STREAM})]
    jobs = [
        Job(photo, _targets(photo, chosen, output, format, single=len(photos) == 1))
        for photo in photos
    ]
    _check_collisions(jobs)
    return jobs


def _to_stream(photos: Sequence[str], output: str | None) -> bool:
    return output == STREAM or (output is None and STREAM in photos)


def _chosen_layers(photos: Sequence[str], output: str | None, layers: Layers | None) -> list[Layer]:
    if layers is None:
        layers = Layers.TRANSMISSION if _to_stream(photos, output) else Layers.BOTH
    return layers.chosen


def _targets(
    photo: str,
    layers: list[Layer],
    output: str | None,
    format: Format | None,
    *,
    single: bool,
) -> dict[Layer, str]:
    if output is not None and single and len(layers) == 1 and not _is_folder(output):
        folder = Path(output).parent
        if not folder.is_dir():
            raise PlanError(f"the folder {folder} does not exist: create it first")
        return {layers[0]: output}
    source = Path("stdin" if photo == STREAM else photo)
    folder = source.parent if output is None else _output_folder(output)
    suffix = target_suffix(source.suffix, format)
    return {layer: str(folder / f"{source.stem}.{layer}{suffix}") for layer in layers}


def _is_folder(output: str) -> bool:
    return output.endswith((os.sep, "/")) or Path(output).is_dir()


def _output_folder(output: str) -> Path:
    """Return the folder for several pictures, which is made when the first is written."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"{output} is a file, not a folder for several pictures: name another")
    if not _is_folder(output) and folder.suffix.lower() in FORMATS:
        raise PlanError(
            f"{output} is the name of one file, and there are several pictures: name a folder with "
            "-o, or give one photo and one of --layers"
        )
    return folder


def _check_collisions(jobs: Iterable[Job]) -> None:
    inputs = {_identity(job.source): job.source for job in jobs if job.source != STREAM}
    writers: dict[str, str] = {}
    for job in jobs:
        for target in job.targets.values():
            identity = _identity(target)
            if identity in inputs:
                raise PlanError(
                    f"{target} is both a photo to read and a file to write: "
                    "choose another folder with -o, or leave that photo out"
                )
            if identity in writers:
                raise PlanError(
                    f"{writers[identity]} and {job.source} would both be written to {target}: "
                    "run them separately into different folders with -o"
                )
            writers[identity] = job.source


def _identity(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
