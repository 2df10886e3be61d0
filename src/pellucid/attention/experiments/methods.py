"""The methods under one protocol, by name: gates of `PRESETS` and the other attention functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pellucid.attention.neighbours import (
    AttentionFunction,
    ClippedSoftmax,
    KVBias,
    LearnedSink,
    RegisterTokens,
    SigmoidAttention,
    SoftmaxAttention,
    SoftmaxOffByOne,
)
from pellucid.errors import ConfigError

# α of Bondarenko et al. 2023 in γ = −α/T: their best for BERT, between 2 and 4.
CLIP_ALPHA = 4.0
REGISTERS = 4


@dataclass(frozen=True)
class Sizes:
    """What an attention function may need to know of its layer.

    Attributes:
        dim: width of a token.
        heads: heads.
        length: tokens in a training sequence.

    """

    dim: int
    heads: int
    length: int


@dataclass(frozen=True)
class Method:
    """One way to attend.

    Attributes:
        title: its name in tables.
        function: makes the attention function for a layer.
        gate: a preset; None: no gate.

    """

    title: str
    function: Callable[[Sizes], AttentionFunction]
    gate: str | None = None


def _softmax(_: Sizes) -> AttentionFunction:
    return SoftmaxAttention()


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "vanilla": Method("vanilla", _softmax),
        "registers": Method("registers", lambda s: RegisterTokens(REGISTERS, s.dim)),
        "kv-bias": Method("KV bias", lambda s: KVBias(s.heads, s.dim // s.heads)),
        "learned-sink": Method("learned sink", lambda s: LearnedSink(s.heads)),
        "off-by-one": Method("off-by-one", lambda _: SoftmaxOffByOne()),
        "clipped": Method("clipped softmax", lambda s: ClippedSoftmax(-CLIP_ALPHA / s.length)),
        "sigmoid": Method("sigmoid", lambda s: SigmoidAttention(s.length)),
        "bondarenko": Method("Bondarenko's gate", _softmax, "bondarenko"),
        "g1": Method("G1", _softmax, "g1"),
        "iga-key": Method("IGA, key", _softmax, "iga"),
        "iga-query": Method("IGA, query", _softmax, "iga-query"),
        "vga-key": Method("VGA, key", _softmax, "vga-key"),
        "vga-query": Method("VGA, query", _softmax, "vga-query"),
    }
)


def method(name: str) -> Method:
    """Return a method by name.

    Raises:
        ConfigError: there is none of that name.

    """
    if name not in METHODS:
        raise ConfigError(f"There is no method {name!r}: choose from {', '.join(METHODS)}.")
    return METHODS[name]
