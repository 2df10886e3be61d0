"""A training run that is killed again and again, in a process of its own.

    python -m tests.faults.attacks.killed_training FOLDER_OF_PHOTOS FOLDER SEED KILLS

Trains once without a stop into FOLDER/whole, then into FOLDER/killed in processes that are killed
at random moments, KILLS times in all. Whenever a run comes to its end, both must be equal to the
bit. Each process is a fork, which spares importing torch.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

from pellucid.network.separation import NetworkConfig
from pellucid.training.batches import BatchConfig
from pellucid.training.checkpoint import Progress, Tensors, load_newest_checkpoint
from pellucid.training.config import TrainingConfig, ValidationConfig
from pellucid.training.optimiser import OptimiserConfig
from pellucid.training.trainer import Trainer

STEPS = 5


def config(photos: Path, folder: Path) -> TrainingConfig:
    return TrainingConfig(
        photos=str(photos),
        folder=str(folder),
        cache=str(folder.parent / "cache"),
        steps=STEPS,
        checkpoint_every=1,
        threads=1,
        network=NetworkConfig(
            channels=8,
            heads=2,
            global_tokens=3,
            decoder_widths=(8, 8, 8),
            decoder_blocks=(1, 1, 1),
        ),
        batch=BatchConfig(group=2, groups=1, crop=64),
        optimiser=OptimiserConfig(warmup=1),
        validation=ValidationConfig(every=1000, mixtures=2),
    )


def start(told: TrainingConfig) -> int:
    """Train in a fork; return its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Trainer(told).run()
            code = 0
        finally:
            os._exit(code)
    return child


def check_equal(one: Path, other: Path) -> None:
    """Both runs are done, with the same weights, averages and moments to the bit."""
    (whole, done), (tensors, progress) = load(one), load(other)
    assert done.step == progress.step == STEPS
    for group in whole:
        assert whole[group].keys() == tensors[group].keys()
        for name, tensor in whole[group].items():
            assert torch.equal(tensor, tensors[group][name]), f"{group}/{name} differs"


def load(folder: Path) -> tuple[Tensors, Progress]:
    found = load_newest_checkpoint(folder)
    assert found is not None, f"no checkpoint in {folder}"
    return found


def main() -> None:
    torch.set_num_threads(1)  # a fork must not find threads that it has not
    photos, folder = Path(sys.argv[1]), Path(sys.argv[2])
    moments, kills = random.Random(int(sys.argv[3])), int(sys.argv[4])
    begin = time.monotonic()
    assert os.waitpid(start(config(photos, folder / "whole")), 0)[1] == 0
    duration = time.monotonic() - begin
    while kills > 0:
        child = start(config(photos, folder / "killed"))
        time.sleep(moments.uniform(0.0, 0.5 * duration))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills -= 1
        else:  # it was done before the signal came: start again from nothing
            check_equal(folder / "whole", folder / "killed")
            shutil.rmtree(folder / "killed")
    assert os.waitpid(start(config(photos, folder / "killed")), 0)[1] == 0
    check_equal(folder / "whole", folder / "killed")


if __name__ == "__main__":
    main()
