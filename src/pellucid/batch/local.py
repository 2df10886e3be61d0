"""The engine of one machine: worker processes, each with a model of its own."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from pellucid.bands import usable_processors
from pellucid.batch.stores import Store
from pellucid.batch.tasks import BatchOptions, Record, Task
from pellucid.batch.worker import BatchWorker
from pellucid.separator import Separator

WORKER_BYTES = 1_200_000_000
"""Memory to leave for a worker: what a photo of 12 Mpx takes."""


@dataclass(frozen=True)
class WorkerPlan:
    """All that a worker is made from; can be sent to another process or machine."""

    source: Store
    output: Store
    options: BatchOptions
    weights: Path | None = None
    threads: int | None = None

    def build(self) -> BatchWorker:
        """Load the model; raises WeightsError."""
        separator = Separator.load(self.weights, self.threads)
        return BatchWorker(separator, self.source, self.output, self.options)


def default_workers() -> int:
    """Return as many workers as there are processors and memory for."""
    return max(1, min(usable_processors(), _free_memory() // WORKER_BYTES))


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 4 * WORKER_BYTES


def run_here(tasks: Iterable[Task], plan: WorkerPlan) -> Iterator[Record]:
    """Work through the tasks in this process, in their order."""
    worker = plan.build()
    return map(worker.work, tasks)


class LocalEngine:
    """Works through tasks in several processes; records come as photos are done.

    A worker that dies (out of memory, a crash in a decoder) takes no other photo with it: those
    that were in work are done again one by one, and what kills its worker again is recorded.
    """

    def __init__(self, plan: WorkerPlan, workers: int) -> None:
        self._plan = plan
        self._workers = workers
        self._pool = self._new_pool(workers)

    def run(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Give one record a task."""
        waiting = iter(tasks)
        running: dict[Future[Record], Task] = {}
        try:
            while True:
                for task in itertools.islice(waiting, 2 * self._workers - len(running)):
                    running[self._pool.submit(_work, task)] = task
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                    suspects = list(running.values())
                    running = {}
                    yield from self._one_by_one(suspects)
                    continue
                for future in done:
                    del running[future]
                    yield future.result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _one_by_one(self, suspects: list[Task]) -> Iterator[Record]:
        self._pool.shutdown()
        self._pool = self._new_pool(1)
        for task in suspects:
            try:
                yield self._pool.submit(_work, task).result()
            except BrokenProcessPool:
                error = f"{task.photo}: its worker died: there may be too little memory for it"
                self._pool.shutdown()
                self._pool = self._new_pool(1)
                yield Record(task.photo, False, "", error=error)
        self._pool.shutdown()
        self._pool = self._new_pool(self._workers)

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, context, _begin, (self._plan,))


_worker: BatchWorker | None = None
"""The worker of this process, in a pool's processes only."""


def _begin(plan: WorkerPlan) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the batch
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _worker = plan.build()


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, which a killed parent cannot ask for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(task: Task) -> Record:
    assert _worker is not None
    return _worker.work(task)
