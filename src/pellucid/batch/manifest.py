"""The manifest of a batch: one JSON line a photo, safe against being killed at any moment.

Lines are appended while the batch runs; a torn last line is passed over. When the batch ends, the
file is rewritten with one line a photo in sorted order, so that equal batches have equal manifests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pellucid.batch.tasks import Record
from pellucid.errors import DataError
from pellucid.files import appearing_whole, locked

NAME = "manifest.jsonl"


class Manifest:
    """What is known of every photo of an output folder."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one.

        Raises:
            DataError: it cannot be read.
        """
        self.path = path
        self.records: dict[str, Record] = {}
        try:
            lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror})") from error
        for line in lines:
            record = Record.parse(line)
            if record is not None:
                self.records[record.photo] = record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other batches out of this output meanwhile, where the system can lock files.

        Raises:
            DataError: another batch is at work, or the folder cannot be written.
        """
        taken = DataError(
            f"{self.path}: another batch writes here: wait for it, or choose another output"
        )
        with ExitStack() as held:
            with self._writing():
                held.enter_context(locked(self.path.with_name(f".{self.path.name}.lock"), taken))
            yield

    def add(self, record: Record) -> None:
        """Append a record; the system has it when this returns.

        Raises:
            DataError: it cannot be written.
        """
        self.records[record.photo] = record
        with self._writing(), self.path.open("ab") as file:
            # A newline first: the line before may be torn.
            file.write(b"\n" + record.line().encode() + b"\n")
            file.flush()

    def finish(self) -> None:
        """Rewrite the file: sorted, one line a photo.

        Raises:
            DataError: it cannot be written.
        """
        lines = [self.records[photo].line() for photo in sorted(self.records)]
        with self._writing(), appearing_whole(self.path) as partial:
            partial.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be written ({error.strerror}): check the folder's rights and "
                "free space, then run the same command again: what is done stays done"
            ) from error
