"""A batch from its folder to its manifest."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pellucid.batch.cluster import run_on_ray
from pellucid.batch.local import LocalEngine, WorkerPlan, run_here
from pellucid.batch.manifest import Manifest
from pellucid.batch.stores import FolderStore, Store
from pellucid.batch.tasks import (
    BatchOptions,
    Record,
    Task,
    check_collisions,
    is_photo,
    targets,
)
from pellucid.batch.words import WordBook
from pellucid.errors import ConfigError, DataError, PhotoError
from pellucid.model import SeparationModel


class Engine(StrEnum):
    """What carries out a batch."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True)
class BatchSummary:
    """How many photos were separated now, were done before, and failed."""

    done: int = 0
    skipped: int = 0
    failed: int = 0

    def plus(self, record: Record) -> BatchSummary:
        """Count one record."""
        return BatchSummary(self.done + record.ok, self.skipped, self.failed + (not record.ok))


@dataclass(frozen=True)
class Batch:
    """Everything that is asked of a folder of photos."""

    source: Store
    output: Store
    options: BatchOptions = field(default_factory=BatchOptions)
    words: WordBook = field(default_factory=WordBook)
    weights: Path | None = None
    workers: int = 1
    threads: int | None = None
    """Processor threads of one worker."""
    engine: Engine = Engine.LOCAL

    def __post_init__(self) -> None:
        if self.source == self.output or _inside(self.source, self.output) == "":
            raise ConfigError(
                "the output is the folder of the photos itself: choose another, or one inside it"
            )

    def photos(self) -> list[str]:
        """Return the names of all photos, sorted; an output inside the folder is left out."""
        inside = _inside(self.source, self.output)
        return [
            name
            for name in self.source.names()
            if is_photo(name) and not (inside and name.startswith(f"{inside}/"))
        ]

    def tasks(self, photos: Iterable[str]) -> tuple[list[Task], list[Record]]:
        """Return a task a photo, and a failure for each whose words cannot be read.

        Raises:
            ConfigError: two photos would be written to one file.
        """
        tasks, failures = [], []
        for photo in photos:
            try:
                said = self.words.find(photo, self.source)
            except (DataError, PhotoError) as error:
                failures.append(Record(photo, False, "", error=str(error)))
                continue
            made = targets(photo, self.options)
            tasks.append(Task(photo, said.transmission, said.reflection, made))
        check_collisions(tasks)
        return tasks, failures

    def run(
        self,
        manifest: Manifest,
        photos: Iterable[str],
        on_record: Callable[[Record], None] = lambda _: None,
        on_skip: Callable[[str], None] = lambda _: None,
    ) -> BatchSummary:
        """Separate the photos that the manifest does not have yet, and record each."""
        tasks, failures = self.tasks(photos)
        skipped = 0

        def due() -> Iterator[Task]:
            nonlocal skipped
            weights_id = SeparationModel.load(self.weights).info.weights_id
            for task in tasks:
                if self._is_done(task, manifest, weights_id):
                    skipped += 1
                    on_skip(task.photo)
                else:
                    yield task

        summary = BatchSummary()
        for record in itertools.chain(failures, self._carry_out(due())):
            manifest.add(record)
            on_record(record)
            summary = summary.plus(record)
        return BatchSummary(summary.done, skipped, summary.failed)

    def _carry_out(self, tasks: Iterator[Task]) -> Iterator[Record]:
        plan = WorkerPlan(self.source, self.output, self.options, self.weights, self.threads)
        if self.engine is Engine.RAY:
            return run_on_ray(tasks, plan, self.workers)
        if self.workers == 1:
            return run_here(tasks, plan)
        return LocalEngine(plan, self.workers).run(tasks)

    def _is_done(self, task: Task, manifest: Manifest, weights_id: str) -> bool:
        """Whether the outputs are there and were made of the same photo, words and model."""
        before = manifest.records.get(task.photo)
        if before is None or not before.ok or before.outputs != task.targets:
            return False
        try:
            content = self.source.read(task.photo)
        except PhotoError:
            return False
        return before.key == task.key(content, self.options, weights_id) and all(
            self.output.exists(target) for target in task.targets.values()
        )


def _inside(source: Store, output: Store) -> str | None:
    """Return the output's name within the source ("": the same folder), None if it is not in it."""
    if not (isinstance(source, FolderStore) and isinstance(output, FolderStore)):
        return None
    relative = os.path.relpath(os.path.realpath(output.folder), os.path.realpath(source.folder))
    if relative.startswith(os.pardir):
        return None
    return "" if relative == os.curdir else Path(relative).as_posix()
