"""The Ray engine, with two workers on this machine, one of them killed in mid-run."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from pellucid.batch import Record, Task
from pellucid.batch.cluster import run_on_ray
from pellucid.batch.local import WorkerPlan
from pellucid.batch.manifest import Manifest
from pellucid.batch.run import Engine
from pellucid.batch.stores import FolderStore

from .conftest import write_photo

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def two_workers():
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {"env_vars": {"PYTHONPATH": paths}}
    ray.init(num_cpus=3, include_dashboard=False, runtime_env=environment, log_to_driver=False)
    yield
    ray.shutdown()


@dataclasses.dataclass(frozen=True)
class OnceDeadly(WorkerPlan):
    """Builds workers of which the first to meet a photo called 3.png is killed by it."""

    marker: Path = Path()

    def build(self):
        worker, marker = super().build(), self.marker

        class Worker:
            def work(self, task: Task) -> Record:
                if task.photo == "3.png" and not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return worker.work(task)

        return Worker()


def test_outputs_and_manifest_equal_the_local_engines(batch, manifest, tmp_path):
    batch.run(manifest, batch.photos())
    manifest.finish()
    other = tmp_path / "other"
    other.mkdir()
    on_ray = dataclasses.replace(batch, output=FolderStore(other), engine=Engine.RAY, workers=2)
    there = Manifest(other / "manifest.jsonl")
    assert on_ray.run(there, on_ray.photos()).done == 3
    there.finish()
    names = list(batch.output.names())
    assert names == list(on_ray.output.names())
    for name in names:
        assert (other / name).read_bytes() == (batch.output.folder / name).read_bytes()
    assert on_ray.run(Manifest(there.path), on_ray.photos()).skipped == 3


def test_a_killed_workers_photos_are_done_again(batch, photos, tmp_path):
    for number in range(8):
        write_photo(photos / f"{number}.png", number)
    plan = OnceDeadly(
        batch.source, batch.output, batch.options, batch.weights, 1, tmp_path / "killed"
    )
    tasks, _ = batch.tasks(batch.photos())
    records = list(run_on_ray(tasks, plan, workers=2))
    assert (tmp_path / "killed").exists()
    assert sorted(record.photo for record in records) == batch.photos()
    assert all(record.ok for record in records)
