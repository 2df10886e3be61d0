"""Watching: a file is taken once it has settled, and again only when it has changed."""

from __future__ import annotations

import pytest

from pellucid.batch import Batch
from pellucid.batch.stores import FolderStore, RemoteStore
from pellucid.batch.watch import Watcher, WatchPlan
from pellucid.errors import ConfigError

from .conftest import write_photo


def test_a_file_must_rest_before_it_is_taken(batch, photos):
    watcher = Watcher(batch, WatchPlan(settle=2.0))
    assert watcher.settled(0.0) == []
    assert watcher.settled(1.9) == []
    write_photo(photos / "a.jpg", seed=5)
    assert watcher.settled(2.0) == ["a.png", "trip/b.jpg"]
    assert "a.jpg" in watcher.settled(4.0)


def test_a_photo_is_worked_on_once_and_again_when_it_changes(batch, manifest, photos):
    watcher = Watcher(batch, WatchPlan(settle=0.0, interval=0.0))
    rounds = iter([False, False, False, True])
    assert watcher.run(manifest, lambda: next(rounds)).done == 3
    write_photo(photos / "a.jpg", seed=7)
    rounds = iter([False, False, False, True])
    assert watcher.run(manifest, lambda: next(rounds)).done == 1


def test_only_a_folder_can_be_watched(tmp_path):
    with pytest.raises(ConfigError, match="watched"):
        Watcher(Batch(RemoteStore("memory://x"), FolderStore(tmp_path)), WatchPlan())
