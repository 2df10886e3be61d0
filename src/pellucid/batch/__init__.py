"""Whole folders of photos: found, described, separated, recorded, resumed."""

from pellucid.batch.run import Batch, BatchSummary
from pellucid.batch.tasks import BatchOptions, Record, Task

__all__ = ["Batch", "BatchOptions", "BatchSummary", "Record", "Task"]
