"""A study: several configurations, several calibrations, and what each part of the model costs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from pellucid.attention.estimates import T95, Estimate
from pellucid.attention.gate import Gate
from pellucid.attention.passes import call_model, evaluation_mode
from pellucid.attention.quantisation.activations import Noise
from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.handle import Quantised
from pellucid.attention.quantisation.measures import DEFINITIONS, Comparison
from pellucid.attention.quantisation.report import QuantisationReport, SchemeReport, SiteReport
from pellucid.attention.quantisation.sites import LayerSite, Site
from pellucid.errors import ConfigError

MOST_SEEDS = len(T95) + 1


class Part(NamedTuple):
    """A part of the model that is quantised alone.

    Attributes:
        select: tells which sites.
        weights: their weights.
        activations: their activations.

    """

    select: Callable[[Site], bool]
    weights: bool = True
    activations: bool = True


class _Run(NamedTuple):
    """What one calibration gave: figures by part, and noise by site."""

    figures: dict[str, dict[str, float]]
    activation_db: dict[str, dict[str, float]]
    output_db: dict[str, float]


def study(
    model: nn.Module,
    pool: Sequence[object],
    held_out: Sequence[object],
    configs: Iterable[QuantisationConfig],
    *,
    calibration: int = 16,
    seeds: int = 3,
    name: str | None = None,
) -> QuantisationReport:
    """Quantise a model in several ways and measure what it does to its outputs.

    Every site is also quantised alone, which takes a pass of the held-out batches each. Gates are
    measured apart from the rest even where the configurations leave them in full precision.

    Args:
        model: the model; it comes back bit-identical.
        pool: batches to calibrate on; each seed takes some of them, in an order of its own.
        held_out: batches to measure on; mappings with `labels` give a perplexity.
        configs: what to try.
        calibration: batches for each calibration.
        seeds: calibrations, 1 to 10.
        name: the model's name in the report; None: its class.

    Raises:
        ConfigError: too few batches or seeds, or as for `quantise`.

    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise ConfigError(f"seeds must be 1 to {MOST_SEEDS}; got {seeds}.")
    if not held_out or not 1 <= calibration <= len(pool):
        raise ConfigError(
            f"A study needs a batch to measure on and {calibration} to calibrate on; there are "
            f"{len(held_out)} and {len(pool)}: give more text, smaller or shorter batches, or "
            "calibrate on fewer."
        )
    chosen = [
        [pool[index] for index in np.random.default_rng(seed).permutation(len(pool))[:calibration]]
        for seed in range(seeds)
    ]
    schemes, left_out = [], {}
    for config in configs:
        with Quantised(model, _with_gates(model, config)) as handle:
            runs = [_run(handle, config, batches, held_out) for batches in chosen]
            schemes.append(_scheme(handle, config, runs))
            left_out |= handle.left_out
    if not schemes:
        raise ConfigError("A study needs at least one configuration.")
    cost = _cost(schemes[0].figures)
    return QuantisationReport(
        model=type(model).__name__ if name is None else name,
        cost=cost,
        samples=sum(_samples(batch) for batch in held_out),
        calibration_batches=calibration,
        seeds=seeds,
        schemes=schemes,
        left_out=left_out,
        notes=_notes(seeds, len(pool), calibration),
        definitions={name: DEFINITIONS[name] for name in schemes[0].figures},
    )


def _with_gates(model: nn.Module, config: QuantisationConfig) -> QuantisationConfig:
    gated = any(isinstance(module, Gate) for module in model.modules())
    if not gated or "gate" in config.kinds:
        return config
    return replace(config, kinds=(*config.kinds, "gate"))


def parts_of(sites: Iterable[Site], config: QuantisationConfig) -> dict[str, Part]:
    """Name the parts that are measured apart; `all` is what the configuration quantises."""

    def wanted(site: Site) -> bool:
        return site.kind in config.kinds

    parts = {
        "all": Part(wanted),
        "weights": Part(wanted, activations=False),
        "activations": Part(wanted, weights=False),
    }
    kinds = sorted({site.kind for site in sites})
    for kind in kinds:
        parts[kind] = Part(lambda site, kind=kind: site.kind == kind)
    if "gate" in kinds:
        parts["rest"] = Part(lambda site: site.kind != "gate")
    return parts


@torch.no_grad()
def _run(
    handle: Quantised,
    config: QuantisationConfig,
    calibration: Sequence[object],
    held_out: Sequence[object],
) -> _Run:
    handle.calibrate(calibration)
    parts = parts_of(handle.sites.values(), config)
    for path in handle.sites:
        parts[f"site {path}"] = Part(lambda site, path=path: site.path == path)
    comparisons: dict[str, Comparison] = defaultdict(Comparison)
    with evaluation_mode(handle.model):
        for batch in held_out:
            with handle.only(lambda _: False):
                exact = call_model(handle.model, batch)
            for name, part in parts.items():
                with handle.only(*part):
                    quantised = call_model(handle.model, batch)
                comparisons[name].add(exact, quantised, handle.progress.real)
        noise = _noise(handle, parts["all"], held_out)
    figures = {name: comparison.figures() for name, comparison in comparisons.items()}
    return _Run(figures, *noise)


def _noise(
    handle: Quantised, part: Part, batches: Sequence[object]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Measure the rounding of activations, and every site's output against full precision."""
    quantisers = {path: site.quantisers for path, site in handle.sites.items()}
    outputs: dict[str, Noise] = defaultdict(Noise)
    for own in quantisers.values():
        for quantiser in own.values():
            quantiser.noise = Noise()
    for batch in batches:
        with handle.only(lambda _: False), handle.outputs() as exact:
            call_model(handle.model, batch)
        with handle.only(part.select), handle.outputs() as rounded:
            call_model(handle.model, batch)
        for path, output in exact.items():
            outputs[path].add(output, rounded[path])
    return (
        {
            path: {name: q.noise.decibels for name, q in own.items()}
            for path, own in quantisers.items()
        },
        {path: noise.decibels for path, noise in outputs.items()},
    )


def _scheme(handle: Quantised, config: QuantisationConfig, runs: Sequence[_Run]) -> SchemeReport:
    cost = _cost(runs[0].figures["all"])

    def estimate(part: str, figure: str) -> Estimate:
        return over_seeds([run.figures[part][figure] for run in runs])

    return SchemeReport(
        config=config,
        figures={name: estimate("all", name) for name in runs[0].figures["all"]},
        parts={
            name: estimate(name, cost)
            for name in parts_of(handle.sites.values(), config)
            if name != "all"
        },
        sites=[
            SiteReport(
                path=path,
                kind=site.kind,
                weight_db=site.weight_noise.decibels if isinstance(site, LayerSite) else math.nan,
                activation_db={
                    name: _mean([run.activation_db[path][name] for run in runs])
                    for name in site.quantisers
                },
                output_db=_mean([run.output_db.get(path, math.nan) for run in runs]),
                cost=estimate(f"site {path}", cost),
            )
            for path, site in handle.sites.items()
        ],
    )


def over_seeds(values: Sequence[float]) -> Estimate:
    """Return the mean over calibrations, with its 95 % interval by Student's t."""
    count, mean = len(values), _mean(values)
    if count < 2:
        return Estimate(mean, math.nan, count)
    deviation = float(np.std(values, ddof=1))
    return Estimate(mean, T95[count - 2] * deviation / math.sqrt(count), count)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _cost(figures: Mapping[str, Any]) -> str:
    return "kl" if "kl" in figures else "cosine_distance"


def _samples(batch: object) -> int:
    if isinstance(batch, Mapping):
        batch = next(iter(batch.values()))
    first = batch[0] if isinstance(batch, tuple) else batch
    return len(first) if isinstance(first, torch.Tensor) else 1


def _notes(seeds: int, pool: int, calibration: int) -> list[str]:
    notes = [
        "Half widths are 95 % intervals by Student's t over calibrations only; they say nothing "
        "of other texts or other trainings.",
        "Biases, norms, residual sums, activation functions and embedding tables stay in full "
        "precision.",
    ]
    if seeds > 1 and calibration == pool:
        notes.append("Every calibration saw all of the pool: seeds differ in the order only.")
    return notes
