"""A batch: whole tree, one bad photo, resuming, equal manifests from one worker or several."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest

from pellucid.batch import Batch, BatchOptions, Record, Task
from pellucid.batch.local import LocalEngine, WorkerPlan, default_workers
from pellucid.batch.manifest import Manifest
from pellucid.batch.stores import FolderStore
from pellucid.batch.words import WordBook, Words
from pellucid.errors import ConfigError, DataError

from ..faults import fault
from .conftest import write_photo


def outputs(batch: Batch) -> set[str]:
    return set(batch.output.names()) - {"manifest.jsonl"}


def run(batch: Batch, manifest: Manifest):
    summary = batch.run(manifest, batch.photos())
    manifest.finish()
    return summary


def test_the_tree_is_kept_and_recorded(batch, manifest):
    summary = run(batch, manifest)
    assert (summary.done, summary.skipped, summary.failed) == (3, 0, 0)
    assert outputs(batch) == {
        f"{stem}.{layer}{suffix}"
        for stem, suffix in (("a", ".jpg"), ("a", ".png"), ("trip/b", ".jpg"))
        for layer in ("transmission", "reflection")
    }
    again = Manifest(manifest.path)
    assert list(again.records) == ["a.jpg", "a.png", "trip/b.jpg"]
    assert again.records["a.jpg"].size == (32, 24)


def test_what_is_done_is_not_done_again(batch, manifest, photos):
    run(batch, manifest)
    assert run(batch, Manifest(manifest.path)).skipped == 3
    write_photo(photos / "a.jpg", seed=9)
    (batch.output.folder / "trip/b.reflection.jpg").unlink()
    summary = run(batch, Manifest(manifest.path))
    assert (summary.done, summary.skipped) == (2, 1)
    other_words = dataclasses.replace(batch, words=WordBook(Words("a room")))
    assert run(other_words, Manifest(manifest.path)).done == 3


def test_one_bad_photo_stops_nothing_and_is_tried_again(batch, manifest, photos):
    (photos / "a.png").write_bytes(b"no picture")
    summary = run(batch, manifest)
    assert (summary.done, summary.failed) == (2, 1)
    assert "a.png" in (manifest.records["a.png"].error or "")
    write_photo(photos / "a.png")
    assert run(batch, Manifest(manifest.path)).done == 1


def test_words_that_cannot_be_read_fail_their_photo_only(batch, manifest, photos):
    (photos / "a.json").write_text("{")
    words = WordBook(sidecars=frozenset({"a.json"}))
    summary = run(dataclasses.replace(batch, words=words), manifest)
    assert (summary.done, summary.failed) == (1, 2)


@fault("command line and batch", "output inside input", "layers are not taken for photos")
def test_an_output_inside_the_folder_is_no_input(batch, manifest, photos):
    inside = photos / "layers"
    inside.mkdir()
    again = dataclasses.replace(batch, output=FolderStore(inside))
    run(again, Manifest(inside / "manifest.jsonl"))
    assert again.photos() == ["a.jpg", "a.png", "trip/b.jpg"]


@fault("command line and batch", "a batch into the folder itself", "refused before any work")
def test_the_folder_itself_is_no_output(photos):
    with pytest.raises(ConfigError, match="choose another"):
        Batch(FolderStore(photos), FolderStore(photos / "trip" / ".."))


def test_strength_zero_copies_the_file(batch, manifest, photos):
    run(dataclasses.replace(batch, options=BatchOptions(strength=0)), manifest)
    copied = (batch.output.folder / "a.transmission.jpg").read_bytes()
    assert copied == (photos / "a.jpg").read_bytes()


@fault("command line and batch", "the manifest's last line is torn", "that photo is done again")
def test_a_torn_last_line_is_passed_over(batch, manifest):
    run(batch, manifest)
    manifest.path.write_bytes(manifest.path.read_bytes()[:-20])
    again = Manifest(manifest.path)
    assert len(again.records) == 2
    assert run(batch, again).done == 1
    assert len(Manifest(manifest.path).records) == 3


@fault(
    "command line and batch",
    "two batches into one folder at once",
    "the second is refused in one line",
)
def test_two_batches_do_not_share_an_output(manifest):
    other = Manifest(manifest.path)
    with manifest.locked(), pytest.raises(DataError, match="another batch"), other.locked():
        pass
    with other.locked():
        pass


@pytest.mark.slow
def test_two_workers_write_the_same_manifest_and_files(batch, manifest, tmp_path):
    run(batch, manifest)
    other = tmp_path / "other"
    other.mkdir()
    pair = dataclasses.replace(batch, output=FolderStore(other), workers=2)
    run(pair, Manifest(other / "manifest.jsonl"))
    for name in (*outputs(batch), "manifest.jsonl"):
        assert (other / name).read_bytes() == (batch.output.folder / name).read_bytes()


class DyingWorker:
    """Stands in for a worker whose process is killed by one photo."""

    def work(self, task: Task) -> Record:
        if task.photo == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return Record(task.photo, True, "")


@dataclasses.dataclass(frozen=True)
class DyingPlan(WorkerPlan):
    def build(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return DyingWorker()


@fault(
    "command line and batch",
    "a worker that is killed by a photo",
    "that photo fails, the others are done",
)
def test_a_worker_that_dies_takes_no_other_photo_with_it(batch):
    tasks = [Task(name, None, None, {}) for name in ("a", "b", "deadly", "c", "d", "e")]
    plan = DyingPlan(batch.source, batch.output, batch.options)
    records = {record.photo: record for record in LocalEngine(plan, 2).run(tasks)}
    assert set(records) == {"a", "b", "c", "d", "e", "deadly"}
    assert [name for name, record in records.items() if not record.ok] == ["deadly"]
    assert "worker died" in (records["deadly"].error or "")


def test_workers_are_bounded_by_memory(monkeypatch):
    monkeypatch.setattr("pellucid.batch.local._free_memory", lambda: 100)
    assert default_workers() == 1
