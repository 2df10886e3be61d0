from __future__ import annotations

import pytest
import torch

from pellucid.attention.huggingface import NAME, attention_forward, register
from pellucid.errors import ConfigError

transformers = pytest.importorskip("transformers")


def llama(**fields):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        **fields,
    )
    return transformers.LlamaForCausalLM(config).eval()


IDS = torch.tensor([[3, 7, 1, 9, 4, 2], [0, 0, 5, 6, 8, 2]])
PADDING = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])


@torch.no_grad()
def logits(model, ids=IDS, **options):
    return model(ids, **options).logits


@pytest.mark.parametrize("padded", [False, True])
def test_without_gates_it_is_sdpa(padded):
    model = llama()
    options = {"attention_mask": PADDING} if padded else {}
    model.set_attn_implementation("sdpa")
    expected = logits(model, **options)
    register()
    model.set_attn_implementation(NAME)
    actual = logits(model, **options)
    shown = PADDING.bool() if padded else torch.ones_like(IDS, dtype=torch.bool)
    torch.testing.assert_close(actual[shown], expected[shown], rtol=1e-5, atol=1e-6)


def test_causality_holds():
    model = llama()
    register()
    model.set_attn_implementation(NAME)
    changed = IDS.clone()
    changed[:, 4:] = 11
    torch.testing.assert_close(logits(model)[:, :4], logits(model, changed)[:, :4])


def test_a_missing_mask_function_is_an_error():
    model = llama()
    transformers.AttentionInterface.register("maskless", attention_forward)
    model.set_attn_implementation("maskless")
    with pytest.raises(ConfigError, match="no mask function"):
        logits(model)
