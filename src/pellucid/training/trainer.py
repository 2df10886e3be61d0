"""The training loop: one process or many, resumable to the bit."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from pellucid.errors import PellucidError
from pellucid.files import locked
from pellucid.network.growth import fit_grown_weights
from pellucid.network.pretrained import keep_depthwise_filters, load_imagenet_weights
from pellucid.network.separation import SeparationNetwork
from pellucid.network.weights import fit_weights, load_weights, save_weights
from pellucid.training.batches import Ahead, Batches, Group, to_device
from pellucid.training.checkpoint import (
    Progress,
    load_newest_checkpoint,
    save_checkpoint,
)
from pellucid.training.config import TrainingConfig
from pellucid.training.objective import Objective
from pellucid.training.optimiser import Optimiser, learning_rate_scale
from pellucid.training.parts import let_only_learn
from pellucid.training.photos import PhotoStore
from pellucid.training.validation import read_samples, score_mixtures, score_samples, sheet
from pellucid.training.words_first import Glances, WordsFirst

MOST_BAD_STEPS = 50
"""Steps in a row whose loss is not a number, after which a run gives up."""


class TrainingError(PellucidError):
    """Training cannot go on."""


class Trainer:
    """One training run. Under torchrun, every process holds one and shares out the groups."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        if config.threads:
            torch.set_num_threads(config.threads)
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.folder = Path(config.folder)
        photos = Path(config.photos)
        self.batches = Batches(
            PhotoStore(photos, "train", config.cache_folder), config.batch, config.seed
        )
        self.ahead = Ahead(self.batches)
        self.network, self.average = self._networks()
        self.still = let_only_learn(self.network, config.only)
        objective = Objective(config.objective, config.network.channels)
        self.objective = objective.to(self.device)
        self.names = self._trained()
        self.optimiser = Optimiser(self.names, config.optimiser)
        self.progress = Progress()
        self.samples = [read_samples(Path(path)) for path in config.validation.pairs]
        self.held_out = Batches(
            PhotoStore(photos, "val", config.cache_folder), config.batch, config.seed + 1
        )
        self._resume()

    def run(self, until: Callable[[Progress], bool] = lambda _: False) -> Progress:
        """Train to the configured number of steps, or until `until` says so.

        Raises:
            TrainingError: the loss was not a number for many steps in a row, or another run trains
                in the same folder.
        """
        with self._alone():
            return self._train(until)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs out of the folder; of several processes of one, the first does."""
        if self.rank:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = TrainingError(f"{self.folder}: another run trains here: give each its own folder")
        with locked(self.folder / ".lock", taken):
            yield

    def _train(self, until: Callable[[Progress], bool]) -> Progress:
        config, progress = self.config, self.progress
        bad_in_a_row = 0
        while progress.step < config.steps and not until(progress):
            started = time.perf_counter()
            losses = self.step()
            progress.step += 1
            progress.seconds += time.perf_counter() - started
            bad_in_a_row = 0 if math.isfinite(losses["total"]) else bad_in_a_row + 1
            progress.skipped += bool(bad_in_a_row)
            if bad_in_a_row > MOST_BAD_STEPS:
                raise TrainingError(
                    f"{self.folder}: the loss was not a number for {bad_in_a_row} steps; "
                    "lower optimiser.learning_rate"
                )
            self._report(losses)
        self.save()
        return progress

    def step(self) -> dict[str, float]:
        """Take one optimiser step over this process's groups; return the mean losses."""
        self.network.train()
        for part in self.still:
            part.eval()  # statistics of batches stay as they are too
        self.optimiser.zero_grad()
        groups = range(self.rank, self.config.batch.groups, self.world)
        sums: dict[str, Tensor] = {}
        for number in groups:
            group = self._group(number, last=number == groups[-1])
            total, losses = self._losses(group)
            (total / self.config.batch.groups).backward()
            for name, loss in (losses | {"total": total}).items():
                sums[name] = sums.get(name, torch.zeros(())) + loss.detach().cpu()
        self._share_gradients()
        self._update()
        return {name: float(value) / max(1, len(groups)) for name, value in sums.items()}

    def save(self) -> None:
        """Write a checkpoint (the first process only)."""
        if self.rank:
            return
        training = {f"objective.{k}": v for k, v in self.objective.embedding.state_dict().items()}
        training |= {f"optimiser.{k}": v for k, v in self.optimiser.tensors().items()}
        tensors = {
            "network": dict(self.network.state_dict()),
            "average": dict(self.average.state_dict()),
            "training": training,
        }
        save_checkpoint(self.folder, tensors, self.progress)

    def validate(self) -> dict[str, float]:
        """Measure the averaged weights; keep them if they are the best so far."""
        self.average.eval()
        figures: dict[str, float] = {}
        for path, samples in zip(self.config.validation.pairs, self.samples, strict=True):
            name = Path(path).parent.name
            figures[f"{name} words"] = score_samples(self.average, samples, words=True)
            figures[f"{name} none"] = score_samples(self.average, samples, words=False)
        figures |= score_mixtures(self.average, self.held_out, self.config.validation.mixtures)
        deciding = next(iter(figures.values()))
        if deciding > self.progress.best:
            self.progress.best = deciding
            save_weights(dict(self.average.state_dict()), self.folder / "best.safetensors")
        if self.samples:
            sheet(self.average, self.samples[0][:10]).save(self.folder / "sheet.png")
        return figures

    def _group(self, number: int, last: bool) -> Group:
        step = self.progress.step
        then = (step + 1, self.rank) if last else (step, number + self.world)
        return to_device(self.ahead.group(step, number, then), self.device)

    def _losses(self, group: Group) -> tuple[Tensor, dict[str, Tensor]]:
        mixed = self.config.mixed_precision or self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            mixture = group.mixtures.mixture.contiguous(memory_format=torch.channels_last)
            told = group.transmission.description, group.reflection.description
            output = self.network(mixture, *told, encoded=~group.mixtures.adds)
            return self.objective(self.network, output, group)

    def _share_gradients(self) -> None:
        if self.world == 1:
            return
        used = torch.tensor([float(p.grad is not None) for p in self.names], device=self.device)
        dist.all_reduce(used)
        for parameter, users in zip(self.names, used.tolist(), strict=True):
            if not users:  # a recovery of whose kind no process had a mixture
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def _update(self) -> None:
        scale = learning_rate_scale(self.progress.step, self.config.optimiser, self.config.steps)
        if not self.optimiser.step(scale):
            return
        keep = min(self.config.optimiser.ema, (self.progress.step + 1) / (self.progress.step + 10))
        with torch.no_grad():
            for slow, fast in zip(
                self.average.parameters(), self.network.parameters(), strict=True
            ):
                slow.lerp_(fast, 1.0 - keep)
            for slow, fast in zip(self.average.buffers(), self.network.buffers(), strict=True):
                slow.copy_(fast)

    def _networks(self) -> tuple[SeparationNetwork, SeparationNetwork]:
        torch.manual_seed(self.config.seed)
        network = SeparationNetwork(self.config.network)
        if self.config.start_from:
            start = self.config.start_from
            fit_grown_weights(network, load_weights(Path(start)), start)
        elif self.config.network.encoder == "efficientnet-lite0":
            load_imagenet_weights(network.encoder)  # pyright: ignore[reportArgumentType]
        keep_depthwise_filters(network.encoder)  # pyright: ignore[reportArgumentType]
        average = SeparationNetwork(self.config.network)
        average.load_state_dict(network.state_dict())
        average.requires_grad_(False)
        for module in (network, average):
            module.to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return network, average

    def _trained(self) -> dict[Tensor, str]:
        named = dict(self.network.named_parameters(prefix="network"))
        named |= dict(self.objective.embedding.named_parameters(prefix="objective"))
        return {parameter: name for name, parameter in named.items() if parameter.requires_grad}

    def _resume(self) -> None:
        found = load_newest_checkpoint(self.folder)
        if found is None:
            self._learn_words_first()
            return
        tensors, self.progress = found
        where = f"the checkpoint of step {self.progress.step} in {self.folder}"
        training = tensors["training"]
        fit_weights(self.network, tensors["network"], where)
        fit_weights(self.average, tensors["average"], where)
        fit_weights(self.objective.embedding, _under(training, "objective."), where)
        self.optimiser.restore(_under(training, "optimiser."))

    def _learn_words_first(self) -> None:
        config = self.config.words_first
        if not config.groups:
            return
        stage = WordsFirst(self.network, config)
        glances = Glances(self.network, self.batches.store, config, config.groups)
        held_out = Glances(self.network, self.held_out.store, config, config.held_out)
        for number in range(config.rounds):
            stage.learn(glances, number)
            told_apart = round(stage.told_apart(held_out), 4)
            self._record({"words first": number + 1, "told apart": told_apart})
        self.average.load_state_dict(self.network.state_dict())
        self.save()

    def _record(self, record: dict[str, Any]) -> None:
        if self.rank:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record) + os.linesep)

    def _report(self, losses: dict[str, float]) -> None:
        step, config = self.progress.step, self.config
        if self.rank:
            return
        record: dict[str, Any] = {"step": step, "seconds": round(self.progress.seconds, 1)}
        record |= {name: round(value, 5) for name, value in losses.items()}
        if step % config.validation.every == 0:
            record["validation"] = {k: round(v, 3) for k, v in self.validate().items()}
        if step % 20 == 0 or "validation" in record:
            self._record(record)
        if step % config.checkpoint_every == 0:
            self.save()


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
