"""What the command line tells a person: always on stderr, so that stdout stays for results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from pellucid.untrusted import printable

if TYPE_CHECKING:
    from rich.progress import Progress


def say(message: str) -> None:
    """Print one line on stderr; names in it cannot steer the terminal.

    Where nobody can listen, as with a closed stderr or one on a full disk, the work goes on.
    """
    if sys.stderr is None:
        return  # print would take standard output instead, where results are
    with suppress(OSError):
        print(printable(message), file=sys.stderr, flush=True)


class Report(Protocol):
    """Tells of the work on a number of photos."""

    def start(self, name: str) -> None:
        """Tell that work on a photo begins."""

    def done(self, line: str) -> None:
        """Tell that the photo is done."""

    def failed(self, line: str) -> None:
        """Tell what was wrong with the photo."""


class Quiet:
    """Reports failures only."""

    def start(self, name: str) -> None:
        """Say nothing."""

    def done(self, line: str) -> None:
        """Say nothing."""

    def failed(self, line: str) -> None:
        """Say what was wrong."""
        say(f"error: {line}")


class Lines(Quiet):
    """Reports one plain line a photo."""

    def done(self, line: str) -> None:
        """Say what was done."""
        say(line)


class Bar(Lines):
    """Reports lines above a bar with the number of photos done."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Add a task to a running progress display."""
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def start(self, name: str) -> None:
        """Name the photo in the bar."""
        from rich.markup import escape

        self._progress.update(self._task, description=escape(printable(name)))

    def done(self, line: str) -> None:
        """Say what was done and move the bar."""
        self._print(line)

    def failed(self, line: str) -> None:
        """Say what was wrong and move the bar."""
        self._print(f"error: {line}")

    def _print(self, line: str) -> None:
        from rich.text import Text

        self._progress.console.print(Text(printable(line)), soft_wrap=True)
        self._progress.advance(self._task)


@contextmanager
def report(total: int, *, quiet: bool) -> Iterator[Report]:
    """Give the report that suits: silent, a bar on a terminal, plain lines elsewhere."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield Quiet() if quiet else Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, total)


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr that moves by one whenever the given function is called."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
