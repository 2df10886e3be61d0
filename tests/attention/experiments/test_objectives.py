from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pellucid.attention.experiments.objectives import Example, loss, objective
from pellucid.attention.experiments.source_text import END, MASK, START, VOCABULARY
from pellucid.errors import ConfigError


def blocks(count: int, length: int):
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(MASK + 1, VOCABULARY, (count, length), generator=generator)
    found[:, 0] = START
    return found


def test_the_next_token_is_asked_everywhere():
    block = blocks(2, 9)
    example = objective("next").ask(block, VOCABULARY, torch.Generator())
    assert torch.equal(example.inputs[:, 1:], example.targets[:, :-1])
    assert torch.equal(example.targets, block[:, 1:])
    assert example.asked.all()
    assert objective("next").causal


def test_hidden_tokens():
    block = blocks(200, 65)
    ask = objective("masked").ask
    example = ask(block, VOCABULARY, torch.Generator().manual_seed(1))
    assert not objective("masked").causal
    assert (example.inputs[:, 0] == START).all()
    assert (example.inputs[:, -1] == END).all()
    assert not example.asked[:, [0, -1]].any()
    assert torch.equal(example.targets[:, 1:-1], block[:, 1:-2])
    asked, changed = example.asked, example.inputs != example.targets
    assert asked[:, 1:-1].float().mean() == pytest.approx(0.15, abs=0.01)
    assert not changed[~asked].any()
    hidden = example.inputs[asked] == MASK
    assert hidden.float().mean() == pytest.approx(0.8, abs=0.03)
    kept = example.inputs[asked] == example.targets[asked]
    assert kept.float().mean() == pytest.approx(0.1, abs=0.03)
    again = ask(block, VOCABULARY, torch.Generator().manual_seed(1))
    assert torch.equal(again.inputs, example.inputs)


def test_something_is_asked_of_the_shortest_block():
    for seed in range(20):
        example = objective("masked").ask(
            blocks(1, 4), VOCABULARY, torch.Generator().manual_seed(seed)
        )
        assert example.asked.any()


def test_only_what_is_asked_counts():
    table = nn.Embedding(4, 4)
    inputs, targets = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 2, 3]])
    asked = torch.tensor([[True, False, True]])
    expected = F.cross_entropy(table(torch.tensor([0, 2])), torch.tensor([1, 3]))
    torch.testing.assert_close(loss(table, Example(inputs, targets, asked)), expected)


def test_an_unknown_objective():
    with pytest.raises(ConfigError, match="choose from next, masked"):
        objective("other")
