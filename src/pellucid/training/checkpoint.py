"""Checkpoints: written whole or not at all, without pickle, and enough to resume to the bit.

A checkpoint is a folder `step-000012345` with `network.safetensors`, `average.safetensors` (EMA),
`training.safetensors` (the objective's own weights and the optimiser's moments) and `state.json`.
It is written under another name and renamed; the newest whole one is resumed from.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from pellucid.errors import WeightsError
from pellucid.network.weights import load_weights, save_weights
from pellucid.untrusted import parse_json

KEEP = 2
FILES = ("network", "average", "training")
"""What a checkpoint must hold; see `Tensors`."""


@dataclass
class Progress:
    """The few numbers of a run that are not tensors. The data need only the step."""

    step: int = 0
    best: float = float("-inf")
    """Highest value so far of the validation figure that decides."""
    skipped: int = 0
    """Steps whose loss was not a number."""
    seconds: float = 0.0


Tensors = dict[str, dict[str, Tensor]]
"""Name of the file (without its ending) → name of the tensor → tensor."""


def save_checkpoint(folder: Path, tensors: Tensors, progress: Progress) -> Path:
    """Write a checkpoint and remove all but the newest two."""
    final = folder / f"step-{progress.step:09d}"
    partial = folder / f".{final.name}.{os.getpid()}"
    for torn in folder.glob(".step-*"):  # of runs that were killed while they wrote
        shutil.rmtree(torn, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, group in tensors.items():
        save_weights(group, partial / f"{name}.safetensors")
    (partial / "state.json").write_text(json.dumps(asdict(progress), indent=1))
    if final.exists():
        _discard(final)
    partial.rename(final)
    for old in _checkpoints(folder)[:-KEEP]:
        _discard(old)
    return final


def _discard(checkpoint: Path) -> None:
    """Remove a checkpoint so that no part of it is ever seen under its name."""
    hidden = checkpoint.with_name(f".{checkpoint.name}.old")
    shutil.rmtree(hidden, ignore_errors=True)
    checkpoint.rename(hidden)
    shutil.rmtree(hidden)


def load_newest_checkpoint(folder: Path) -> tuple[Tensors, Progress] | None:
    """Read the newest checkpoint that is whole; None if there are none at all.

    Raises:
        WeightsError: there are checkpoints, and none is whole.
    """
    found = _checkpoints(folder)
    for path in reversed(found):
        try:
            progress = Progress(**parse_json((path / "state.json").read_text()))
            tensors = {name: load_weights(path / f"{name}.safetensors") for name in FILES}
        except (OSError, ValueError, TypeError, WeightsError):
            continue
        return tensors, progress
    if found:
        raise WeightsError(
            f"{folder}: none of its checkpoints is whole: move them away to train from the start"
        )
    return None


def optimiser_tensors(
    optimiser: torch.optim.Optimizer, names: dict[Tensor, str]
) -> dict[str, Tensor]:
    """Return the optimiser's moments by parameter name."""
    return {
        f"{names[parameter]}|{moment}": value
        for parameter, moments in optimiser.state.items()
        for moment, value in moments.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: dict[Tensor, str], tensors: dict[str, Tensor]
) -> None:
    """Put moments back where `optimiser_tensors` found them."""
    moments: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, moment = key.rsplit("|", 1)
        moments.setdefault(name, {})[moment] = value
    for parameter, name in names.items():
        if name in moments:
            optimiser.state[parameter] = {
                moment: value if moment == "step" else value.to(parameter.device)
                for moment, value in moments[name].items()
            }


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.is_dir())
