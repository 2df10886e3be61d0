"""Attention that can do nothing: Value-State Gated Attention and its neighbours (needs torch).

The modules `export`, `flex`, `gradients`, `huggingface` and `benchmark` are imported by their
names; the rest is here.
"""

from pellucid.attention.cache import Cache, KVCache, StaticKVCache
from pellucid.attention.functional import softmax_attention, value_gated_attention
from pellucid.attention.gate import PRESETS, Gate, GateSpec, gate_preset, merge_heads
from pellucid.attention.module import Attention, AttentionConfig, split_heads
from pellucid.attention.multihead import MultiheadAttention
from pellucid.attention.neighbours import (
    AttentionFunction,
    ClippedSoftmax,
    KVBias,
    LearnedSink,
    RegisterTokens,
    ReLUAttention,
    SigmoidAttention,
    SoftmaxAttention,
    SoftmaxOffByOne,
)
from pellucid.attention.reference import reference_attention

__all__ = [
    "PRESETS",
    "Attention",
    "AttentionConfig",
    "AttentionFunction",
    "Cache",
    "ClippedSoftmax",
    "Gate",
    "GateSpec",
    "KVBias",
    "KVCache",
    "LearnedSink",
    "MultiheadAttention",
    "ReLUAttention",
    "RegisterTokens",
    "SigmoidAttention",
    "SoftmaxAttention",
    "SoftmaxOffByOne",
    "StaticKVCache",
    "gate_preset",
    "merge_heads",
    "reference_attention",
    "softmax_attention",
    "split_heads",
    "value_gated_attention",
]
