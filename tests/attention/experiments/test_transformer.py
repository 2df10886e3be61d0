from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pellucid.attention.experiments.transformer import SwiGLU, TransformerConfig, build


@torch.no_grad()
@pytest.mark.parametrize("style", ["gpt", "llama"])
@pytest.mark.parametrize("method", ["vanilla", "clipped", "vga-query"])
def test_only_a_causal_one_is_blind_to_what_comes(style, method):
    for causal in (True, False):
        config = TransformerConfig(
            9, 6, dim=16, heads=2, layers=2, method=method, causal=causal, style=style
        )
        model = build(config, 0)
        tokens = torch.tensor([[0, 1, 2, 3, 4, 5], [0, 1, 2, 6, 7, 8]])
        first, second = model(tokens)[:, :3]
        if causal:
            torch.testing.assert_close(first, second)
        elif method != "clipped":  # whose weights begin with zeros
            assert not torch.allclose(first, second, atol=1e-4)


def test_styles():
    gpt, llama = (
        build(TransformerConfig(9, 6, dim=12, style=style), 0) for style in ("gpt", "llama")
    )
    assert any(name.endswith("bias") for name, _ in gpt.named_parameters())
    assert not any(name.endswith("bias") for name, _ in llama.named_parameters())
    assert not any(isinstance(module, nn.LayerNorm) for module in llama.modules())
    gate, value = F.linear(torch.ones(1, 1, 12), llama.blocks[0].ffn.inner.weight).chunk(2, -1)
    expected = F.linear(gate * gate.sigmoid() * value, llama.blocks[0].ffn.outer.weight)
    assert isinstance(llama.blocks[0].ffn, SwiGLU)
    torch.testing.assert_close(llama.blocks[0].ffn(torch.ones(1, 1, 12)), expected)


def test_a_seed_is_a_model():
    one, same, other = (build(TransformerConfig(9, 6, dim=12), seed) for seed in (1, 1, 2))
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
