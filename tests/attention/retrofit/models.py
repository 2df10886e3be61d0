"""Tiny models with random weights, one per supported family. No hub."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

VOCABULARY = 50
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": VOCABULARY}
DECODER = {
    **SIZES,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


def _transformers():
    return pytest.importorskip("transformers")


def bert():
    t = _transformers()
    return t.BertModel(t.BertConfig(**SIZES, num_attention_heads=4, intermediate_size=48))


def masked_bert():
    t = _transformers()
    return t.BertForMaskedLM(t.BertConfig(**SIZES, num_attention_heads=4, intermediate_size=48))


def distilbert():
    t = _transformers()
    return t.DistilBertModel(
        t.DistilBertConfig(vocab_size=VOCABULARY, dim=32, n_layers=2, n_heads=4, hidden_dim=48)
    )


def albert():
    t = _transformers()
    return t.AlbertModel(
        t.AlbertConfig(**SIZES, embedding_size=16, num_attention_heads=4, intermediate_size=48)
    )


def gpt2():
    t = _transformers()
    config = t.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=0
    )
    return t.GPT2LMHeadModel(config)


def opt():
    t = _transformers()
    config = t.OPTConfig(
        **SIZES,
        ffn_dim=48,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        max_position_embeddings=64,
    )
    return t.OPTForCausalLM(config)


def llama():
    t = _transformers()
    return t.LlamaForCausalLM(t.LlamaConfig(**DECODER))


def qwen3():
    t = _transformers()
    return t.Qwen3ForCausalLM(t.Qwen3Config(**DECODER, head_dim=16))


def mistral():
    t = _transformers()
    return t.MistralForCausalLM(t.MistralConfig(**DECODER, sliding_window=6))


def vit():
    t = _transformers()
    config = t.ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        image_size=16,
        patch_size=8,
    )
    return t.ViTModel(config)


def encoder():
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    return nn.TransformerEncoder(layer, 2)


def encoder_sequence_first():
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(32, 4, 48), 2, enable_nested_tensor=False
    )


def encoder_layer():
    return nn.TransformerEncoderLayer(32, 4, 48, batch_first=True, norm_first=True)


def decoder():
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 48, batch_first=True), 2)


TRANSFORMERS = (bert, masked_bert, distilbert, albert, gpt2, opt, llama, qwen3, mistral, vit)
TORCH = (encoder, encoder_sequence_first, encoder_layer, decoder)
CAUSAL = (gpt2, opt, llama, qwen3, mistral)


def build(make: Callable[[], nn.Module]) -> nn.Module:
    """The same weights every time."""
    torch.manual_seed(0)
    return make().eval()
