"""`pellucid batch`: separate whole folders, on one machine or many."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.console import report, say
from pellucid.cli.help import SOME_FAILED, USAGE
from pellucid.layer_files import Format, Layers

if TYPE_CHECKING:
    from pellucid.batch import Batch, BatchOptions, BatchSummary, Record
    from pellucid.batch.manifest import Manifest

HELP = """Separate every photo of a folder and of the folders in it; the tree is kept.

Words come from a table (--words) or from a small file beside each photo: photo.json, or photo.txt \
with a line for the transmission and one for the reflection. OUTPUT/manifest.jsonl records every \
photo; run the same command again and only what is new, changed or failed is done.
"""

app = typer.Typer(add_completion=False)


@app.command(help=HELP, no_args_is_help=True)
def batch(
    source: Annotated[str, typer.Argument(help="Folder of photos, or an fsspec URL.")],
    output: Annotated[str, typer.Argument(help="Folder for the layers, or an fsspec URL.")],
    words: Annotated[
        Path | None,
        typer.Option(help="CSV or .jsonl with the columns photo, transmission, reflection."),
    ] = None,
    transmission: Annotated[
        str | None,
        typer.Option("-t", "--transmission", help="Words for photos without words of their own."),
    ] = None,
    reflection: Annotated[
        str | None,
        typer.Option("-r", "--reflection", help="Words for photos without words of their own."),
    ] = None,
    layers: Annotated[Layers, typer.Option(help="Which layers to write.")] = Layers.BOTH,
    strength: Annotated[
        float,
        typer.Option(
            min=-100,
            max=100,
            help="What the transmission files show: 100 = no reflection, 0 = the photo itself, "
            "-100 = only the reflection.",
        ),
    ] = 100,
    format: Annotated[
        Format | None, typer.Option(help="Format to write. Default: each photo's own.")
    ] = None,
    region: Annotated[
        Path | None,
        typer.Option(metavar="MASK", help="White where the effect is wanted, for every photo."),
    ] = None,
    no_gps: Annotated[
        bool, typer.Option("--no-gps", help="Leave the place out of the metadata.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Photos at once. Default: as processors and memory allow."),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="local|ray", help="This machine, or a Ray cluster.")
    ] = "local",
    manifest: Annotated[
        Path | None, typer.Option(help="Default: manifest.jsonl in OUTPUT.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: separate photos as they arrive and settle.")
    ] = False,
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds that a file must not have changed, with --watch.")
    ] = 2.0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Plan, lock the manifest, run."""
    from pellucid import batch as batches
    from pellucid.errors import ConfigError, DataError

    options = batches.BatchOptions(
        layers, strength, format, not no_gps, None if region is None else str(region)
    )
    try:
        made = _batch(source, output, words, (transmission, reflection), options, workers, engine)
        book = _manifest(output, manifest)
        summary = _watch(made, book, settle, quiet) if watch else _run(made, book, quiet)
    except (ConfigError, DataError) as error:
        say(f"error: {error}")
        raise typer.Exit(USAGE) from error
    say(f"{summary.done} done, {summary.skipped} already done, {summary.failed} failed")
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _batch(
    source: str,
    output: str,
    table: Path | None,
    for_all: tuple[str | None, str | None],
    options: BatchOptions,
    workers: int | None,
    engine: str,
) -> Batch:
    from pellucid.batch import Batch
    from pellucid.batch.local import default_workers
    from pellucid.batch.run import Engine
    from pellucid.batch.stores import FolderStore, open_store
    from pellucid.batch.words import WordBook, Words, read_table
    from pellucid.errors import ConfigError

    photos = open_store(source)
    if isinstance(photos, FolderStore) and not photos.folder.is_dir():
        raise ConfigError(f"{source} is not a folder: give one with photos in it")
    if engine not in list(Engine):
        raise ConfigError(f"--engine {engine}: use local or ray")
    count = workers or default_workers()
    return Batch(
        source=photos,
        output=open_store(output),
        options=options,
        words=WordBook(
            Words(*for_all),
            {} if table is None else read_table(table),
            frozenset(name for name in photos.names() if name.endswith((".json", ".txt"))),
        ),
        workers=count,
        threads=max(1, default_workers() // count),
        engine=Engine(engine),
    )


def _manifest(output: str, file: Path | None) -> Manifest:
    from pellucid.batch.manifest import NAME, Manifest
    from pellucid.errors import ConfigError

    if file is None:
        if "://" in output:
            raise ConfigError("an output on another filesystem needs --manifest FILE")
        file = Path(output) / NAME
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{file.parent} cannot be made ({error.strerror})") from error
    return Manifest(file)


def _run(batch: Batch, manifest: Manifest, quiet: bool) -> BatchSummary:
    photos = batch.photos()
    begin = time.monotonic()
    count = 0

    with manifest.locked(), report(len(photos), quiet=quiet) as tell:

        def on_record(record: Record) -> None:
            nonlocal count
            count += 1
            line = _line(record)
            if not record.ok:
                tell.failed(line)
            else:
                left = (time.monotonic() - begin) / count * (len(photos) - count)
                tell.done(f"[{count}/{len(photos)}, {_minutes(left)} left] {line}")

        def on_skip(photo: str) -> None:
            nonlocal count
            count += 1
            tell.done(f"[{count}/{len(photos)}] {photo}: already done")

        summary = batch.run(manifest, photos, on_record, on_skip)
        manifest.finish()
    return summary


def _watch(batch: Batch, manifest: Manifest, settle: float, quiet: bool) -> BatchSummary:
    from pellucid.batch.watch import Watcher, WatchPlan

    watcher = Watcher(batch, WatchPlan(settle))
    if not quiet:
        say("watching; end with Ctrl-C")
    with manifest.locked(), report(0, quiet=quiet) as tell:
        return watcher.run(
            manifest,
            stop=lambda: False,
            on_record=lambda record: (tell.done if record.ok else tell.failed)(_line(record)),
        )


def _line(record: Record) -> str:
    if not record.ok:
        return record.error or record.photo
    return "; ".join([f"{record.photo} -> {', '.join(record.outputs.values())}", *record.notes])


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
