from __future__ import annotations

import math

import pytest
import torch

from pellucid.attention.experiments.backcopy import START, BackcopyTask, sonnet_task
from pellucid.errors import ConfigError


def test_the_triggers_are_the_most_frequent_characters():
    task = sonnet_task()
    assert task.characters[:3] == [" ", "e", "t"]
    assert task.is_trigger(torch.tensor([START, 1, 3, 4])).tolist() == [False, True, True, False]


def test_the_table_counts_bigrams_on_a_ring():
    task = BackcopyTask("aab", triggers=1)
    a, b = 1, 2
    assert task.table[a].tolist() == [0, 0.5, 0.5]
    assert task.table[b].tolist() == [0, 1, 0]  # the text begins again
    assert task.table[START].tolist() == [0, 0, 1]  # no trigger first


def test_after_a_trigger_comes_the_character_before_it():
    task = sonnet_task()
    tokens = task.sample(16, 60, seed=3, step=0).tokens
    assert (tokens[:, 0] == START).all()
    assert (tokens[:, 1:] != START).all()
    trigger = task.is_trigger(tokens)
    assert trigger.any()
    for row, column in trigger[:, :-1].nonzero().tolist():
        assert tokens[row, column + 1] == tokens[row, column - 1]
    assert not (trigger[:, 1:] & trigger[:, :-1]).any()


def test_elsewhere_the_table_rules():
    task = BackcopyTask("abcbcbd" * 3, triggers=1)
    tokens = task.sample(2000, 6, seed=0, step=0).tokens
    current, following = tokens[:, :-1].flatten(), tokens[:, 1:].flatten()
    for character in range(2, task.vocabulary):
        after = following[current == character]
        shares = torch.bincount(after, minlength=task.vocabulary) / len(after)
        assert torch.allclose(shares, task.table[character], atol=0.05)


def test_data_depend_on_seed_and_step_only():
    task = sonnet_task()
    first = task.sample(2, 20, 1, 7).tokens
    torch.rand(3)
    assert torch.equal(first, task.sample(2, 20, 1, 7).tokens)
    assert not torch.equal(first, task.sample(2, 20, 1, 8).tokens)
    assert not torch.equal(first, task.sample(2, 20, 2, 7).tokens)


def test_risks_are_zero_for_who_knows_the_rules_and_known_for_who_knows_nothing():
    task = sonnet_task()
    batch = task.sample(4, 40, 0, 0)
    perfect = task.table[batch.inputs]
    trigger = task.is_trigger(batch.inputs)
    perfect[trigger] = torch.nn.functional.one_hot(batch.targets[trigger], task.vocabulary).float()
    backcopy, bigram = task.risks(perfect.clamp_min(1e-30).log(), batch)
    assert backcopy == pytest.approx(0, abs=1e-5)
    assert bigram == pytest.approx(0, abs=1e-4)
    backcopy, bigram = task.risks(torch.zeros(4, 40, task.vocabulary), batch)
    assert backcopy == pytest.approx(math.log(task.vocabulary), abs=1e-5)
    rows = task.table[batch.inputs][~trigger]
    entropy = torch.special.entr(rows).sum(-1).mean()
    assert bigram == pytest.approx(math.log(task.vocabulary) - float(entropy), abs=1e-4)


def test_too_few_characters():
    with pytest.raises(ConfigError, match="more different characters; this one has 2"):
        BackcopyTask("ab", triggers=2)
