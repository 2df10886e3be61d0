from __future__ import annotations

import pytest
import torch

from pellucid.attention.experiments import source_text as module
from pellucid.attention.experiments.source_text import (
    END,
    MASK,
    OTHER,
    START,
    VOCABULARY,
    even_blocks,
    source_text,
    training_blocks,
)
from pellucid.errors import DataError


def test_words_are_one_token_and_others_are_spelt():
    words = module._frequent_words("the cat. the cat! ".replace("cat", "elephant"))
    tokens = module._encode("the zoo é elephant", words)
    assert tokens.tolist()[1:5] == [ord(letter) for letter in " zoo"]
    assert OTHER in tokens.tolist()
    assert tokens[-1] == words[" elephant"] > MASK
    assert not {START, END, MASK} & set(tokens.tolist())


def test_no_held_out_paragraph_is_trained_on():
    topics = [f"own {i}\n\nshared  by\nall\n\nodd {i % 2}" for i in range(24)]
    train, held_out = module._split(topics)
    assert "own 0" in held_out
    assert "own 12" in held_out
    assert "shared by all" in held_out
    assert "shared" not in train
    assert "odd 1" in train
    assert train.count("odd 1") == 1
    assert "own 12" not in train


def test_the_manual():
    text = source_text()
    assert len(text.tokens) > 5 * len(text.held_out) > 50_000
    for tokens in (text.tokens, text.held_out):
        assert tokens.min() > START
        assert tokens.max() < VOCABULARY
    assert (text.tokens > MASK).float().mean() > 0.1
    assert len(text.sha256) == 64


def test_blocks_begin_with_the_start_and_depend_on_the_seed():
    tokens = torch.arange(1, 100)
    first, again, other = (next(training_blocks(tokens, 3, 7, seed)) for seed in (0, 0, 1))
    assert first.shape == (3, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first[:, 0] == START).all()
    assert (first[:, 2:] - first[:, 1:-1] == 1).all()
    blocks = even_blocks(tokens, 2, 7)
    assert blocks[:, 1].tolist() == [1, 93]


def test_a_python_without_its_manual(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match="no pydoc_data"):
        module._topics()
