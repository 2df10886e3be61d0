from __future__ import annotations

import pytest
import torch

pytest.importorskip("torch.nn.attention.flex_attention")

from torch.nn.attention.flex_attention import create_block_mask

from pellucid.attention import LearnedSink, value_gated_attention
from pellucid.attention.flex import flex_sink_attention, flex_value_gated_attention
from pellucid.errors import ConfigError

from .helpers import assert_within, heads, qkv

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


@pytest.mark.parametrize("placement", ["key", "query"])
@pytest.mark.parametrize("kv_heads", [4, 2])
@torch.no_grad()
def test_is_the_fused_path(placement, kv_heads):
    inputs = qkv(kv_heads=kv_heads, queries=16, keys=16, dim=16)
    owners = kv_heads if placement == "key" else 4
    gate = torch.sigmoid(heads(2, owners, 16))
    options = {"placement": placement, "enable_gqa": kv_heads != 4}
    expected = value_gated_attention(*inputs, gate, **options)
    assert_within(flex_value_gated_attention(*inputs, gate, **options), expected)


def test_another_placement_is_an_error_and_no_attention_without_a_gate():
    inputs, gate = qkv(queries=16, keys=16, dim=16), heads(2, 4, 16)
    with pytest.raises(ConfigError, match="'key' or 'query'; got 'both'"):
        flex_value_gated_attention(*inputs, gate, placement="both")  # pyright: ignore


def causal(_batch, _head, query, key):
    return query >= key


@torch.no_grad()
def test_block_mask():
    inputs = qkv(queries=16, keys=16, dim=16)
    gate = torch.sigmoid(heads(2, 4, 16))
    mask = create_block_mask(causal, None, None, 16, 16, device="cpu")
    expected = value_gated_attention(*inputs, gate, is_causal=True)
    assert_within(flex_value_gated_attention(*inputs, gate, block_mask=mask), expected)


@torch.no_grad()
def test_sink_by_log_sum_exp_is_the_sink_by_an_extra_key():
    inputs = qkv(queries=16, keys=16, dim=16)
    sink = LearnedSink(4, std=2.0)
    assert_within(flex_sink_attention(*inputs, sink.logit), sink(*inputs))


@pytest.mark.slow
@torch.no_grad()
def test_compiled():
    inputs = qkv(queries=128, keys=128, dim=32)
    gate = torch.sigmoid(heads(2, 4, 128))
    compiled = torch.compile(flex_value_gated_attention, fullgraph=True)
    assert_within(compiled(*inputs, gate), value_gated_attention(*inputs, gate), factor=3)
