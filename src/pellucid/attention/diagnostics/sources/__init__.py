"""Where attention states come from: one module a kind of model."""

from pellucid.attention.diagnostics.sources.base import Recorder, Source
from pellucid.attention.diagnostics.sources.fused import FusedWatch
from pellucid.attention.diagnostics.sources.huggingface import HuggingfaceSource
from pellucid.attention.diagnostics.sources.multihead import MultiheadSource
from pellucid.attention.diagnostics.sources.own import OwnSource
from pellucid.attention.diagnostics.sources.packed import PackedSource
from pellucid.attention.diagnostics.sources.protocol import ProtocolSource

__all__ = [
    "FusedWatch",
    "HuggingfaceSource",
    "MultiheadSource",
    "OwnSource",
    "PackedSource",
    "ProtocolSource",
    "Recorder",
    "Source",
]
