from __future__ import annotations

import torch

from pellucid.attention.rotary import rotate

from .helpers import heads


def test_scores_depend_on_distance_alone():
    query, key = heads(1, 1, 1, 8, dtype=torch.float64), heads(1, 1, 1, 8, seed=1).double()

    def score(i, j):
        at = torch.tensor
        return (rotate(query, at([i]), 100.0) * rotate(key, at([j]), 100.0)).sum()

    torch.testing.assert_close(score(3, 1), score(12, 10), rtol=1e-6, atol=1e-6)
    assert not torch.isclose(score(3, 1), score(4, 1), rtol=1e-3)


def test_position_zero_is_the_identity_and_norms_stay():
    states = heads(1, 2, 3, 8)
    turned = rotate(states, torch.tensor([0, 1, 2]), 10000.0)
    assert torch.equal(turned[:, :, 0], states[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), states.norm(dim=-1))
