"""Losses: zero where nothing is wrong, and pulling the right way."""

from __future__ import annotations

import math

import pytest
import torch

from pellucid.network.light import to_light
from pellucid.network.recovery import Layers
from pellucid.training.losses.language import (
    LayerEmbedding,
    assignment_error,
    contrastive,
    gate_error,
    layer_correspondence,
    points_right,
    verdict_error,
)
from pellucid.training.losses.reconstruction import (
    gradient_error,
    halve,
    recomposition_error,
    rms_error,
)


def test_equal_layers_cost_nothing():
    layer = torch.rand(2, 3, 8, 8)
    assert float(rms_error(layer, layer)) == pytest.approx(1e-3)
    assert float(gradient_error(layer, layer)) == 0


def test_rms_error_is_a_mean_of_roots():
    truth = torch.zeros(2, 3, 4, 4)
    output = torch.stack([torch.full((3, 4, 4), 0.1), torch.full((3, 4, 4), 0.3)])
    assert float(rms_error(output, truth)) == pytest.approx(0.2, abs=1e-4)


def test_gradient_error_is_blind_to_a_constant():
    layer = torch.rand(1, 3, 8, 8)
    assert float(gradient_error(layer + 0.2, layer)) == pytest.approx(0.0, abs=1e-6)
    assert float(gradient_error(layer.flip(-1), layer)) > 0.05


def test_recomposition_counts_only_what_does_not_clip():
    mixture = torch.rand(1, 3, 8, 8) * 0.9
    light = to_light(mixture)
    layers = Layers(0.7 * light, 0.3 * light)
    adds = torch.tensor([True])
    assert float(recomposition_error(layers, mixture, adds)) == pytest.approx(0.0, abs=1e-6)
    clipped = mixture.clone()
    clipped[..., :4] = 1.0
    assert float(recomposition_error(layers, clipped, adds)) == pytest.approx(0.0, abs=1e-6)


def test_recomposition_leaves_out_mixtures_whose_light_does_not_add():
    mixture = torch.rand(2, 3, 8, 8) * 0.9
    light = to_light(mixture)
    layers = Layers(0.7 * light, torch.stack([0.3 * light[0], light[1]]))
    only_first, both = torch.tensor([True, False]), torch.tensor([True, True])
    assert float(recomposition_error(layers, mixture, only_first)) == pytest.approx(0.0, abs=1e-6)
    assert float(recomposition_error(layers, mixture, both)) > 0.01


def test_halve_is_a_mean():
    assert halve(torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])).item() == 1.5


def test_contrastive_is_the_logarithm_of_the_group_by_chance():
    likeness = torch.zeros(3, 3)
    own = torch.arange(3)
    counted = torch.tensor([True, True, False])
    assert float(contrastive(likeness, own, counted)) == pytest.approx(math.log(3))
    assert float(contrastive(torch.eye(3), own, counted)) < 1e-3
    assert float(contrastive(likeness, own, torch.zeros(3, dtype=torch.bool))) == 0


def test_correspondence_prefers_the_own_description():
    own, other = torch.eye(4)[:1], torch.eye(4)[1:2]
    counted = torch.tensor([True])
    good = layer_correspondence(own, own, other, counted)
    bad = layer_correspondence(other, own, other, counted)
    assert float(good) < 1e-3 < 1.0 < float(bad)


def test_gate_error_wants_right_words_open_and_wrong_ones_shut():
    right, wrong = torch.tensor([True, False, False]), torch.tensor([False, True, False])
    good = gate_error(torch.tensor([9.0, -9.0, 0.0]), right, wrong)
    bad = gate_error(torch.tensor([-9.0, 9.0, 0.0]), right, wrong)
    assert float(good) < 1e-3 < 5.0 < float(bad)
    # A description that is missing has no say.
    assert float(gate_error(torch.tensor([9.0, -9.0, 99.0]), right, wrong)) == float(good)


def test_verdict_error_wants_the_kind_of_the_mixture():
    kind = torch.tensor([True, False])
    assert float(verdict_error(torch.tensor([9.0, -9.0]), kind)) < 1e-3
    assert float(verdict_error(torch.tensor([-9.0, 9.0]), kind)) > 8.0


def test_embeddings_are_unit_vectors():
    embedding = LayerEmbedding(6, 4)
    for vectors in (embedding.layer(torch.randn(3, 6)), embedding.words(torch.randn(3, 4))):
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))


def test_assignment_asks_only_which_layer_is_which():
    truth = torch.rand(2, 6, 16, 16)
    swapped = torch.cat([truth[:, 3:], truth[:, :3]], dim=1)
    both = torch.tensor([True, True])
    assert points_right(truth, truth).tolist() == [1.0, 1.0]
    assert points_right(swapped, truth).tolist() == [0.0, 0.0]
    good, bad = (float(assignment_error(layers, truth, both)) for layers in (truth, swapped))
    assert good < 1e-3 < 5.0 < bad
    middle = 0.5 * (truth + swapped)
    faint = middle + 0.01 * (truth - middle)
    assert float(assignment_error(faint, truth, both)) == pytest.approx(good, abs=1e-5)
    assert float(assignment_error(swapped, truth, torch.tensor([False, False]))) == 0.0


def test_an_output_on_the_wrong_side_of_the_middle_is_not_told_apart():
    truth = torch.cat([torch.full((1, 3, 16, 16), 0.3), torch.full((1, 3, 16, 16), 0.5)], dim=1)
    bright = truth.clone()
    bright[:, :3] += 0.12  # darker than the reflection, and yet nearer to it
    assert points_right(bright, truth).tolist() == [0.5]
    asked = torch.tensor([True])
    assert float(assignment_error(bright, truth, asked)) > 2.0
    assert float(assignment_error(truth, truth, asked)) < 1e-3
