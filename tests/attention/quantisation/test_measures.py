from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from pellucid.attention.quantisation.measures import DEFINITIONS, Comparison
from pellucid.errors import ConfigError

from ..helpers import heads


def output(logits, loss):
    return SimpleNamespace(logits=logits, loss=torch.tensor(loss))


def test_figures_of_logits():
    exact, quantised = heads(2, 3, 5, seed=1), heads(2, 3, 5, seed=2)
    comparison = Comparison()
    comparison.add(output(exact, 1.0), output(quantised, 1.2), None)
    comparison.add(output(exact[:1], 3.0), output(exact[:1], 3.0), None)
    figures = comparison.figures()
    p, log_q = exact.softmax(-1), quantised.softmax(-1).log()
    kl = (p * (p.log() - log_q)).sum(-1)
    assert figures["kl"] == pytest.approx(float(kl.sum()) / 9, rel=1e-5)
    same = (exact.argmax(-1) == quantised.argmax(-1)).sum() + 3
    assert figures["top1_agreement"] == pytest.approx(float(same) / 9)
    # A batch counts by its samples.
    assert figures["perplexity_exact"] == pytest.approx(math.exp((2 * 1.0 + 3.0) / 3))
    assert figures["perplexity"] == pytest.approx(math.exp((2 * 1.2 + 3.0) / 3))
    assert figures.keys() <= DEFINITIONS.keys()


def test_padding_does_not_count():
    exact, quantised = heads(2, 4, 8, seed=1), heads(2, 4, 8, seed=2)
    real = torch.tensor([[True, True, True, True], [True, True, False, False]])
    figures = []
    for noise in (0.0, 100.0):
        comparison = Comparison()
        comparison.add(exact, quantised + noise * ~real[..., None], real)
        figures.append(comparison.figures())
    assert figures[0] == figures[1]
    pooled = [states[1, :2].mean(0) for states in (exact, quantised)]
    distances = [1 - torch.cosine_similarity(*pooled, dim=0)]
    distances.append(1 - torch.cosine_similarity(exact[0].mean(0), quantised[0].mean(0), dim=0))
    assert figures[0]["cosine_distance"] == pytest.approx(float(sum(distances)) / 2, rel=1e-5)
    assert figures[0]["cosine_distance_worst"] == pytest.approx(float(max(distances)), rel=1e-5)


def test_outputs_that_cannot_be_compared():
    with pytest.raises(ConfigError, match="neither logits nor hidden states"):
        Comparison().add(torch.zeros(3), torch.zeros(3), None)
