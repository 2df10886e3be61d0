"""The stage in which only the language path learns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pellucid.synthesis.recipes import SYMMETRIC, SynthesisConfig
from pellucid.training.batches import BatchConfig
from pellucid.training.captions import CaptionConfig
from pellucid.training.parts import HEARING
from pellucid.training.trainer import Trainer
from pellucid.training.words_first import Glances, WordsFirst, WordsFirstConfig

BATCH = BatchConfig(
    group=8,
    crop=64,
    captions=CaptionConfig(dropped=0.0, noun=0.0, template=0.0),
    synthesis=SynthesisConfig(recipes=(SYMMETRIC,), soft=0.0, cast=0.0, noise=0.0, jpeg=0.0),
)


@pytest.fixture
def stage(tiny_run):
    torch.manual_seed(0)
    trainer = Trainer(tiny_run)
    config = WordsFirstConfig(groups=4, rounds=30, learning_rate=3e-3, batch=BATCH)
    return WordsFirst(trainer.network, config), trainer.batches.store


def test_words_tell_equal_layers_apart_after_learning(stage):
    words_first, store = stage
    config = words_first.config
    glances = Glances(words_first.network, store, config, config.groups)
    for number in range(config.rounds):
        words_first.learn(glances, number)
    assert words_first.told_apart(glances) > 0.8


def test_encoder_decoder_and_verdicts_stay_as_they_are(stage):
    words_first, store = stage
    network = words_first.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    words_first.learn(Glances(network, store, words_first.config, 1), 0)
    changed = {n.split(".")[0] for n, v in network.state_dict().items() if not v.equal(before[n])}
    assert changed == {name.split(".")[0] for name in before} - {
        "encoder",
        "recovery",
        "encoded_recovery",
        "ambiguity",
        "addition",
    }


def test_parts_that_do_not_learn_stay_as_they_are(tiny_run, change):
    trainer = Trainer(change(tiny_run, only=HEARING))
    network = trainer.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    config = WordsFirstConfig(groups=1, batch=BATCH)
    WordsFirst(network, config).learn(Glances(network, trainer.batches.store, config, 1), 0)
    changed = {n.split(".")[0] for n, v in network.state_dict().items() if not v.equal(before[n])}
    assert changed == set(HEARING)


def test_glances_keep_no_pixels_and_draw_new_words(stage):
    words_first, store = stage
    glances = Glances(words_first.network, store, words_first.config, 1)
    random = np.random.default_rng(0)
    glance, first = glances.told(0, BATCH.captions, random)
    _, second = glances.told(0, BATCH.captions, random)
    assert glance.mixtures.mixture.numel() == 0
    assert glance.stacked.shape[2:] == (8, 8)
    tokens = (first.transmission.description.tokens, second.transmission.description.tokens)
    assert tokens[0].shape != tokens[1].shape or not torch.equal(*tokens)


def test_a_run_begins_with_words_and_resumes_behind_them(tiny_run, change):
    config = WordsFirstConfig(groups=1, held_out=1, rounds=2, batch=BATCH)
    told = change(tiny_run, words_first=config, steps=1)
    Trainer(told).run()
    lines = (Path(told.folder) / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["words first"] for line in lines] == [1, 2]
    Trainer(told)
    assert len((Path(told.folder) / "metrics.jsonl").read_text().splitlines()) == 2
