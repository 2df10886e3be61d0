"""Watch a folder: separate each photo once it has settled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.batch.manifest import Manifest
from pellucid.batch.run import Batch, BatchSummary
from pellucid.batch.stores import FolderStore
from pellucid.batch.tasks import Record
from pellucid.errors import ConfigError

Signature = tuple[int, int]
"""Size and time of change of a file."""


@dataclass(frozen=True)
class WatchPlan:
    """How patiently a folder is watched, in seconds."""

    settle: float = 2.0
    """How long a file must not have changed: copying and uploading take time."""
    interval: float = 0.5


class Watcher:
    """Remembers which files have settled and which were worked on."""

    def __init__(self, batch: Batch, plan: WatchPlan) -> None:
        """Raises ConfigError for a source that is not a folder of this machine."""
        if not isinstance(batch.source, FolderStore):
            raise ConfigError("only a folder of this machine can be watched")
        self._batch = batch
        self._folder = batch.source.folder
        self._plan = plan
        self._seen: dict[str, tuple[Signature, float]] = {}
        self._worked: dict[str, Signature] = {}

    def settled(self, now: float) -> list[str]:
        """Return the photos that have not changed for a while and were not worked on as they are.

        Args:
            now: seconds of a clock that never goes back.
        """
        ready = []
        for photo in self._batch.photos():
            signature = self._signature(photo)
            if signature is None or self._worked.get(photo) == signature:
                continue
            before, since = self._seen.get(photo, (None, now))
            if before != signature:
                self._seen[photo] = (signature, now)
            elif now - since >= self._plan.settle:
                ready.append(photo)
        return ready

    def run(
        self,
        manifest: Manifest,
        stop: Callable[[], bool],
        on_record: Callable[[Record], None] = lambda _: None,
    ) -> BatchSummary:
        """Work until `stop` says so; it is asked between photos' rounds."""
        total = BatchSummary()
        while not stop():
            photos = self.settled(time.monotonic())
            if not photos:
                time.sleep(self._plan.interval)
                continue
            for photo in photos:
                self._worked[photo] = self._seen[photo][0]
            some = self._batch.run(manifest, photos, on_record)
            total = BatchSummary(
                total.done + some.done, total.skipped + some.skipped, total.failed + some.failed
            )
        return total

    def _signature(self, photo: str) -> Signature | None:
        try:
            found = (self._folder / photo).stat()
        except OSError:
            return None  # it is gone again
        return found.st_size, found.st_mtime_ns
