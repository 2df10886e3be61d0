"""The ablation's figures say what they are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pellucid.network.separation import NetworkConfig
from pellucid.training.ablation import (
    RIGHT,
    Variant,
    measure,
    summarise,
    teach,
    variants,
    without_words,
)
from pellucid.training.batches import BatchConfig
from pellucid.training.few_bits import losses_in_bits
from pellucid.training.trainer import Trainer
from pellucid.training.words_first import Glances, Unspoken, WordsFirst, WordsFirstConfig

STAGE = WordsFirstConfig(groups=1, rounds=1, batch=BatchConfig(group=8, crop=64))


def test_every_variant_changes_one_thing():
    made = variants(NetworkConfig.lite(), STAGE)
    first = made[0]
    assert len({variant.name for variant in made}) == len(made)
    for variant in made[1:]:
        same = (variant.network == first.network, variant.stage == first.stage, variant.spoken)
        assert sum(same) == 2
    assert {"vga-mixed attention", "no text", "with layer correspondence"} <= {v.name for v in made}


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


def test_without_text_no_figure_speaks_of_words(tiny_run):
    trainer = Trainer(tiny_run)
    stage = WordsFirst(trainer.network, STAGE)
    figures = measure(stage, Glances(trainer.network, trainer.batches.store, STAGE, 1))
    left = without_words(figures)
    assert left["told apart"] == figures["told apart, no words"]
    assert left["right words, dB"] == left["gate, right words"] == 0.0
    assert "sink rate" not in left


def test_what_is_never_told_anything_learns_nothing_about_words(tiny_run):
    trainer = Trainer(tiny_run)
    glances = Glances(trainer.network, trainer.batches.store, STAGE, 1)
    _, group = Unspoken(glances).told(0, RIGHT, np.random.default_rng(0))
    assert not group.transmission.description.given.any()
    before = trainer.network.interaction.own.out.weight.clone()
    teach(Variant("no text", tiny_run.network, STAGE, spoken=False), trainer.network, glances)
    decayed = before * (1.0 - STAGE.learning_rate * 1e-2)  # AdamW's decay is all that happens
    torch.testing.assert_close(trainer.network.interaction.own.out.weight, decayed)


def test_layer_correspondence_reaches_the_words(tiny_run):
    trainer = Trainer(tiny_run)
    glances = Glances(trainer.network, trainer.batches.store, STAGE, 1)
    for weight, taught in ((0.0, False), (1.0, True)):
        stage = WordsFirst(trainer.network, dataclasses.replace(STAGE, correspondence=weight))
        before = stage.embedding.sentence.weight.clone()
        stage.learn(glances, 0)
        assert (stage.embedding.sentence.weight.sub(before).abs().max() > 0) == taught


def test_few_bits_lose_and_leave_no_trace(tiny_run):
    trainer = Trainer(tiny_run)
    glances = Glances(trainer.network, trainer.batches.store, STAGE, 2)
    stage = WordsFirst(trainer.network, STAGE)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    lost = losses_in_bits(stage, glances, glances, RIGHT, seeds=8)
    assert [len(values) for values in lost.values()] == [8, 8]
    assert np.abs(lost["W4A8"]).mean() > np.abs(lost["W8A8"]).mean() > 0.0
    after = trainer.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
