"""What an inspection found: a plain record that goes to JSON and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pellucid.attention.diagnostics.states import InspectionError
from pellucid.attention.estimates import Estimate
from pellucid.attention.records import dump_record, json_schema, load_record
from pellucid.files import write_whole

FORMAT = "pellucid-attention-report"
VERSION = 1


@dataclass(frozen=True)
class HeadEstimates:
    """One metric of one layer; NaN where it does not exist.

    Attributes:
        mean: one number a head.
        half_width: half of the 95 % normal confidence interval over samples.

    """

    mean: list[float]
    half_width: list[float]


@dataclass(frozen=True)
class StrongestKey:
    """Where a head's attention gathers.

    Attributes:
        position: the most frequent strongest key, counted from the first token.
        share: in which share of samples it is that one.

    """

    position: int
    share: float


@dataclass(frozen=True)
class LayerReport:
    """One attention layer.

    Attributes:
        path: its name in the model.
        kind: its class.
        heads: query heads.
        kv_heads: key-value heads.
        calls: how often it ran.
        tokens: fewest and most keys that were tokens.
        metrics: by name; `metrics.DEFINITIONS` says what they are.
        strongest: a head each.
        mass_profile: α by position from the first token, mean over samples; a row a head.
        norm_profile: ‖v‖ likewise; a row a key-value head.
        sink_tokens: how many (sample, head) pairs have α > ε on a token of this id.
        gates: number of gates in the layer; 0: no gate.
        dead_gates: those that never rose to 0.05.
        missing: metric or group of metrics to why it could not be measured.

    """

    path: str
    kind: str
    heads: int
    kv_heads: int
    calls: int
    tokens: tuple[int, int]
    metrics: dict[str, HeadEstimates]
    strongest: list[StrongestKey]
    mass_profile: list[list[float]]
    norm_profile: list[list[float]]
    sink_tokens: dict[str, int]
    gates: int
    dead_gates: int
    missing: dict[str, str]


@dataclass(frozen=True)
class ActivationReport:
    """The activations that one module put out.

    Attributes:
        path: its name in the model.
        kind: its class.
        metrics: by name; `activations.DEFINITIONS` says what they are.
        channels: the largest channels and their max|h|.

    """

    path: str
    kind: str
    metrics: dict[str, Estimate]
    channels: list[tuple[int, float]]


@dataclass(frozen=True)
class Report:
    """All that an inspection found.

    Attributes:
        model: the model's class, or the name it was given.
        epsilon: ε, the threshold of a sink.
        samples: how many sequences were seen.
        batches: in how many forward passes.
        summary: metric to its mean over the model.
        layers: attention layers in the order they ran.
        activations: modules whose outputs were measured: the blocks around attention layers.
        unmeasured: module to the reason why its attention could not be measured.
        notes: what a reader must know to read the numbers.
        definitions: metric to its published definition.
        token_names: token id to its text, for the ids in `sink_tokens`; filled in by whoever
            knows the tokeniser.

    """

    model: str
    epsilon: float
    samples: int
    batches: int
    summary: dict[str, Estimate]
    layers: list[LayerReport]
    activations: list[ActivationReport]
    unmeasured: dict[str, str]
    notes: list[str]
    definitions: dict[str, str] = field(default_factory=dict)
    token_names: dict[str, str] = field(default_factory=dict)

    def sink_tokens_of(self, layer: LayerReport) -> str:
        """Return the eight most frequent tokens that are sinks in a layer, with their counts."""
        return ", ".join(
            f"{self.token_names.get(token, '#' + token)} {count}"
            for token, count in list(layer.sink_tokens.items())[:8]
        )

    def to_json(self) -> str:
        """Return the report as JSON, NaN as null, with its format and version."""
        return dump_record(self, FORMAT, VERSION)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what `to_json` wrote.

        Raises:
            InspectionError: the text is no report, or one of another version.

        """
        try:
            return load_record(cls, text, FORMAT, VERSION)
        except ValueError as error:
            raise InspectionError(f"The report cannot be read: {error}.") from error

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of `to_json`."""
        return json_schema(cls, FORMAT, VERSION)

    def save(self, path: Path) -> None:
        """Write the JSON file, whole or not at all."""
        write_whole(path, self.to_json().encode())
