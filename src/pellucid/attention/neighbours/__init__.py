"""What else has been done against attention sinks, all behind `AttentionFunction`."""

from pellucid.attention.neighbours.base import AttentionFunction, SoftmaxAttention
from pellucid.attention.neighbours.maps import ClippedSoftmax, ReLUAttention, SigmoidAttention
from pellucid.attention.neighbours.prefixes import KVBias, RegisterTokens
from pellucid.attention.neighbours.sinks import LearnedSink, SoftmaxOffByOne

__all__ = [
    "AttentionFunction",
    "ClippedSoftmax",
    "KVBias",
    "LearnedSink",
    "ReLUAttention",
    "RegisterTokens",
    "SigmoidAttention",
    "SoftmaxAttention",
    "SoftmaxOffByOne",
]
