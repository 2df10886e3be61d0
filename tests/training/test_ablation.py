"""The ablation's figures say what they are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pellucid.network.separation import NetworkConfig
from pellucid.training.ablation import measure, summarise, variants
from pellucid.training.batches import BatchConfig
from pellucid.training.trainer import Trainer
from pellucid.training.words_first import Glances, WordsFirst, WordsFirstConfig

STAGE = WordsFirstConfig(groups=1, rounds=1, batch=BatchConfig(group=8, crop=64))


def test_every_variant_changes_one_thing():
    made = variants(NetworkConfig.lite(), STAGE)
    first = made[0]
    assert len({variant.name for variant in made}) == len(made)
    for variant in made[1:]:
        assert (variant.network == first.network) != (variant.stage == first.stage)


@pytest.mark.parametrize("attention", ["softmax", "vga-key", "iga-query"])
def test_figures_are_finite_and_within_their_ranges(tiny_run, attention):
    network = dataclasses.replace(tiny_run.network, attention=attention)
    trainer = Trainer(dataclasses.replace(tiny_run, network=network))
    stage = WordsFirst(trainer.network, STAGE)
    batch = BatchConfig(group=16, crop=64)
    config = dataclasses.replace(STAGE, batch=batch)
    figures = measure(stage, Glances(trainer.network, trainer.batches.store, config, 2))
    assert np.isfinite([value for name, value in figures.items() if name != "drain ratio"]).all()
    for name in ("told apart", "gate, right words", "gate, wrong words"):
        assert 0.0 <= figures[name] <= 1.0


def test_a_silent_network_gains_nothing_from_words(tiny_run):
    trainer = Trainer(tiny_run)
    with torch.no_grad():
        for attention in (trainer.network.interaction.own, trainer.network.interaction.other):
            attention.out.weight.zero_()
    stage = WordsFirst(trainer.network, STAGE)
    figures = measure(stage, Glances(trainer.network, trainer.batches.store, STAGE, 1))
    assert figures["right words, dB"] == figures["wrong words, dB"] == 0.0


def test_a_summary_holds_mean_and_range():
    summary = summarise([{"x": 1.0}, {"x": 3.0}])
    assert summary == {"x": {"mean": 2.0, "low": 1.0, "high": 3.0}}
