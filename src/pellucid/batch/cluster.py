"""The engine of many machines: Ray Data, one model a worker.

Ray restarts a worker that dies and does its photo again; writing is whole or not at all, so a photo
done twice is as if done once. Needs the extra `cluster`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from pellucid.batch.local import WorkerPlan
from pellucid.batch.tasks import Record, Task
from pellucid.errors import DataError


class RayWorker:
    """A worker as Ray Data calls it: rows in, rows out."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._worker = plan.build()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Separate the photo of one row."""
        return {"record": self._worker.work(Task(**json.loads(row["task"]))).line()}


def run_on_ray(tasks: Iterable[Task], plan: WorkerPlan, workers: int) -> Iterator[Record]:
    """Give one record a task, in no order, from a cluster or from this machine.

    Raises:
        DataError: a worker gave something else than a record.
    """
    import ray  # pyright: ignore[reportMissingImports]

    rows = [{"task": json.dumps(asdict(task))} for task in tasks]
    if not rows:
        return
    blocks = min(len(rows), 4 * workers)
    done = ray.data.from_items(rows, override_num_blocks=blocks).map(
        RayWorker,
        fn_constructor_args=(plan,),
        concurrency=workers,
        num_cpus=plan.threads or 1,
    )
    for row in done.iter_rows():
        record = Record.parse(row["record"])
        if record is None:
            raise DataError("a worker gave no record: are all machines of one pellucid version?")
        yield record
