"""Muon in float32 takes the step that torch's own takes in bfloat16."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pellucid.training.muon import Muon, orthogonalise

SIDES = st.integers(2, 24)


@settings(max_examples=30)
@given(rows=SIDES, columns=SIDES, scale=st.sampled_from([1e-6, 1.0, 1e4]))
def test_singular_values_come_near_one_whatever_the_scale(rows: int, columns: int, scale: float):
    generator = torch.Generator().manual_seed(rows * 100 + columns)
    left = torch.linalg.qr(torch.randn(rows, rows, generator=generator))[0]
    right = torch.linalg.qr(torch.randn(columns, columns, generator=generator))[0]
    rank = min(rows, columns)
    values = torch.linspace(0.3, 1.0, rank) * scale
    matrix = left[:, :rank] @ torch.diag(values) @ right[:rank]
    found = orthogonalise(matrix)
    assert found.shape == matrix.shape
    after = torch.linalg.svdvals(found)
    assert after.min() > 0.5 and after.max() < 1.5
    kept = torch.diagonal(left[:, :rank].T @ found @ right[:rank].T)
    assert kept.min() > 0.5  # the same singular vectors, and no sign turned


def test_a_matrix_of_zeros_stays_zero():
    assert not orthogonalise(torch.zeros(3, 5)).any()


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (16, 16)])
def test_steps_are_those_of_torch(shape: tuple[int, int]):
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(shape))
    theirs = nn.Parameter(ours.detach().clone())
    start = ours.detach().clone()
    muon = Muon([{"params": [ours], "lr": 0.01}], weight_decay=0.1)
    other = torch.optim.Muon([theirs], 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        gradient = torch.randn(shape)
        ours.grad, theirs.grad = gradient, gradient.clone()
        muon.step()
        other.step()
    moved = (theirs - start).detach()
    assert float((ours - theirs).detach().norm() / moved.norm()) < 0.02  # bfloat16's digits


def test_a_matrix_without_a_gradient_stays():
    still, moved = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
    moved.grad = torch.ones(2, 3)
    Muon([{"params": [still, moved], "lr": 0.1}], weight_decay=0.0).step()
    assert torch.equal(still, torch.ones(2, 3))
    assert not torch.equal(moved, torch.ones(2, 3))
