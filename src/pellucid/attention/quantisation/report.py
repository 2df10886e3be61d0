"""What quantisation did to a model: a plain record that goes to JSON and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.attention.estimates import Estimate
from pellucid.attention.quantisation.config import Kind, QuantisationConfig
from pellucid.attention.records import dump_record, json_schema, load_record
from pellucid.errors import DataError
from pellucid.files import write_whole

FORMAT = "pellucid-quantisation-report"
VERSION = 1


@dataclass(frozen=True)
class SiteReport:
    """One place of the model that is quantised; ratios are means over calibration seeds.

    Attributes:
        path: its name in the model.
        kind: what it is.
        weight_db: signal-to-quantisation-noise of its weight, in dB; NaN: it has none.
        activation_db: the same of each of its activations, by what it is, in the quantised model.
        output_db: its output in the quantised model against the same in full precision: all that
            went wrong up to here.
        cost: the report's `cost` figure with this place alone quantised.

    """

    path: str
    kind: Kind
    weight_db: float
    activation_db: dict[str, float]
    output_db: float
    cost: Estimate


@dataclass(frozen=True)
class SchemeReport:
    """One configuration.

    Attributes:
        config: the configuration.
        figures: figure to its mean over calibration seeds; `definitions` says what they are.
        parts: the report's `cost` figure with a part alone quantised: all weights, all
            activations, all sites of a kind; and with all but the gates, as `rest`.
        sites: in the order of the model, attention last.

    """

    config: QuantisationConfig
    figures: dict[str, Estimate]
    parts: dict[str, Estimate]
    sites: list[SiteReport]

    def costliest(self) -> list[SiteReport]:
        """Return the sites, the one that costs most first."""
        return sorted(self.sites, key=lambda site: -site.cost.mean)


@dataclass(frozen=True)
class QuantisationReport:
    """All that a study found.

    Attributes:
        model: the model's class, or the name it was given.
        cost: the figure that parts and sites are judged by: `kl`, or `cosine_distance`.
        samples: sequences that were measured on.
        calibration_batches: for each seed.
        seeds: how often the model was calibrated, each time on other batches.
        schemes: one a configuration.
        left_out: modules with a weight that stayed in full precision, and why.
        notes: what a reader must know to read the numbers.
        definitions: figure to its definition.

    """

    model: str
    cost: str
    samples: int
    calibration_batches: int
    seeds: int
    schemes: list[SchemeReport]
    left_out: dict[str, str]
    notes: list[str]
    definitions: dict[str, str]

    def to_json(self) -> str:
        """Return the report as JSON, NaN and infinity as null, with its format and version."""
        return dump_record(self, FORMAT, VERSION)

    @classmethod
    def from_json(cls, text: str) -> QuantisationReport:
        """Read what `to_json` wrote.

        Raises:
            DataError: the text is no report, or one of another version.

        """
        try:
            return load_record(cls, text, FORMAT, VERSION)
        except ValueError as error:
            raise DataError(f"The report cannot be read: {error}.") from error

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of `to_json`."""
        return json_schema(cls, FORMAT, VERSION)

    def save(self, path: Path) -> None:
        """Write the JSON file, whole or not at all."""
        write_whole(path, (self.to_json() + "\n").encode())
