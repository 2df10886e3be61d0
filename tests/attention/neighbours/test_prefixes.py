from __future__ import annotations

import torch

from pellucid.attention import (
    Attention,
    AttentionConfig,
    KVBias,
    RegisterTokens,
    reference_attention,
)

from ..helpers import heads, qkv


def test_kv_bias_is_one_more_key():
    query, key, value = qkv(kv_heads=2, dtype=torch.float64)
    bias = KVBias(2, 8).double()
    more_keys = torch.cat([bias.key.expand(2, -1, -1, -1), key], dim=2)
    more_values = torch.cat([bias.value.expand(2, -1, -1, -1), value], dim=2)
    expected, _ = reference_attention(query, more_keys, more_values)
    torch.testing.assert_close(bias(query, key, value), expected)


def test_every_query_sees_the_bias_under_a_causal_mask():
    query, key, value = qkv(dtype=torch.float64)
    bias = KVBias(4, 8).double()
    causal = bias(query, key, value, is_causal=True)
    first = bias(query[:, :, :1], key[:, :, :1], value[:, :, :1])
    torch.testing.assert_close(causal[:, :, :1], first)
    masked = bias(query, key, value, attn_mask=torch.ones(5, 5, dtype=torch.bool).tril())
    torch.testing.assert_close(causal, masked)


def test_kv_bias_as_the_first_entry_of_a_cache():
    """What it means to fold it: plain attention over a cache that begins with it."""
    from pellucid.attention import KVCache, softmax_attention

    query, key, value = qkv(dtype=torch.float64)
    bias = KVBias(4, 8).double()
    cache = KVCache()
    cache.append(bias.key.expand(2, -1, -1, -1), bias.value.expand(2, -1, -1, -1))
    folded = softmax_attention(query, *cache.append(key, value), is_causal=True)
    torch.testing.assert_close(folded, bias(query, key, value, is_causal=True))


def test_registers_of_a_layer_are_registers_of_its_sequence():
    torch.manual_seed(0)
    registers = RegisterTokens(3, 16)
    plain = Attention(AttentionConfig(16, 4, gate="vga-key"))
    layer = Attention(AttentionConfig(16, 4, gate="vga-key"), registers)
    layer.load_state_dict(plain.state_dict(), strict=False)
    x = heads(2, 5, 16)
    expected = registers.strip(plain(registers.prepend(x)))
    torch.testing.assert_close(layer(x), expected)
