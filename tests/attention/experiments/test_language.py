from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from pellucid.attention.experiments.language import (
    LanguageConfig,
    held_out_examples,
    likelihood,
    masked_run,
    next_run,
    quantised,
    train,
)
from pellucid.attention.experiments.objectives import Example
from pellucid.errors import DataError

SMALL = LanguageConfig(
    "vanilla", 0, dim=16, layers=1, heads=2, length=24, batch=4, steps=40, warmup=5, points=2,
    held_out=8, calibrations=1, calibration_batches=2,
)  # fmt: skip


@pytest.mark.parametrize("objective", ["next", "masked"])
def test_training_learns_and_repeats(objective):
    config = replace(SMALL, objective=objective)
    model, points = train(config)
    assert [point["step"] for point in points] == [0, 20, 40]
    assert points[-1]["loss"] < points[0]["loss"] - 0.5
    assert points[-1]["perplexity"] == pytest.approx(math.exp(points[-1]["loss"]))
    _, again = train(config)
    assert again == points
    figures = quantised(model, config)
    exact = points[-1]["perplexity"]
    assert 0 < abs(figures["W8A8"] - exact) < abs(figures["W8A4"] - exact)
    assert likelihood(model, held_out_examples(config))["perplexity"] == pytest.approx(exact)


def test_seeds_differ():
    one, other = (train(replace(SMALL, steps=2, seed=seed))[1][-1] for seed in (0, 1))
    assert one["loss"] != other["loss"]


def test_a_likelihood_counts_tokens_not_batches():
    table = nn.Embedding(3, 3)
    nn.init.normal_(table.weight, generator=torch.Generator().manual_seed(0))
    tokens, asked = torch.tensor([[0, 1], [2, 0]]), torch.tensor([[True, True], [True, False]])
    whole = Example(tokens, tokens, asked)
    parts = [Example(tokens[i : i + 1], tokens[i : i + 1], asked[i : i + 1]) for i in (0, 1)]
    assert likelihood(table, parts)["loss"] == pytest.approx(likelihood(table, [whole])["loss"])


def test_a_loss_that_is_no_number():
    with pytest.raises(DataError, match="vanilla: the loss is nan at step"):
        train(replace(SMALL, learning_rate=1e30, largest_gradient=1e30))


def test_runs_say_what_they_are_of():
    runs = next_run("vga-key", 1, True), masked_run("vga-key", 1, True)
    assert [run.config["objective"] for run in runs] == ["next", "masked"]
    for run in runs:
        assert (run.group, run.seed, run.config["method"]) == ("vga-key", 1, "vga-key")
        assert len(run.config["text_sha256"]) == 64
        assert {"W8A8", "W4A8", "W8A4", "peak_first", "sink_first"} <= run.last.keys()
