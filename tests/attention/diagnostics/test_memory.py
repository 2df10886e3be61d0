from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pellucid.attention import Attention, AttentionConfig
from pellucid.attention.diagnostics import Inspector
from pellucid.attention.diagnostics.columns import BUDGET
from pellucid.attention.diagnostics.memory import measure_table

from ...faults import fault


class LargestTensor(TorchDispatchMode):
    """Remembers the most numbers that any operation put out."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(output):
            if isinstance(leaf, torch.Tensor):
                self.numbers = max(self.numbers, leaf.untyped_storage().nbytes() // 4)
        return output


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("tokens", [4096, pytest.param(16_384, marks=pytest.mark.slow)])
@fault("attention", "4,096 and 16,384 tokens, inspected", "no n × n map is made")
def test_no_map_of_queries_and_keys(causal: bool, tokens: int) -> None:
    heads = 2
    layer = Attention(AttentionConfig(dim=16, heads=heads)).eval()
    with torch.no_grad(), LargestTensor() as largest, Inspector(layer) as inspector:
        layer(torch.randn(1, tokens, 16), is_causal=causal)
    assert inspector.report().samples == 1
    assert largest.numbers <= max(BUDGET, heads * tokens * 16) < tokens * tokens


@pytest.mark.slow
def test_peak_memory_grows_linearly() -> None:
    """Twice the tokens take twice the memory, not four times."""
    small, large = measure_table((4096, 8192))
    assert large.mebibytes < 2.6 * small.mebibytes
    assert large.mebibytes < large.map_mebibytes / 2
