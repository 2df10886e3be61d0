from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.attention.passes import call_model, evaluation_mode


def product(one: Tensor, other: Tensor | int = 1) -> Tensor:
    return one * other


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(torch.tensor(2), 2), ((torch.tensor(2), 3), 6), ({"one": torch.tensor(2), "other": 4}, 8)],
    ids=["one argument", "positional", "by name"],
)
def test_a_batch_is_one_argument_several_or_named_ones(batch, expected):
    assert int(call_model(product, batch)) == expected


def test_every_module_comes_back_to_its_own_mode():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model[1].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(ValueError, match="broken"), evaluation_mode(model):
        assert not any(module.training for module in model.modules())
        raise ValueError("broken")
    assert [module.training for module in model.modules()] == before == [True, True, False, False]
