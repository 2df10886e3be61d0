"""Thresholds on a report, for continuous integration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pellucid.attention.diagnostics.report import Report
from pellucid.attention.diagnostics.states import InspectionError

# Alarm to the number of the report's summary that it watches.
ALARMS: Mapping[str, str] = MappingProxyType(
    {
        "sink": "sink_any",
        "first-sink": "sink_first",
        "first-attention": "first_attention",
        "delta-logit": "delta_logit",
        "drain": "sink_drain",
        "kurtosis": "kurtosis",
        "inf-norm": "inf_norm",
        "max-activation": "max_activation",
        "massive": "massive",
        "gate-low": "gate_low",
        "gate-high": "gate_high",
        "dead-gates": "dead_gates",
    }
)
# A drained sink has a small ratio: this alarm goes off below its threshold, the others above.
BELOW = frozenset({"drain"})


@dataclass(frozen=True)
class Alarm:
    """A threshold.

    Attributes:
        name: one of `ALARMS`.
        threshold: where it goes off, the threshold itself excluded.

    """

    name: str
    threshold: float

    @classmethod
    def parse(cls, text: str) -> Alarm:
        """Read `name=number`.

        Raises:
            InspectionError: the text is not of that form, or there is no such alarm.

        """
        name, _, number = text.partition("=")
        if name not in ALARMS:
            raise InspectionError(f"There is no alarm {name!r}: choose from {', '.join(ALARMS)}.")
        try:
            threshold = float(number)
        except ValueError:
            threshold = math.nan
        if math.isnan(threshold):
            raise InspectionError(f"An alarm is written name=number, as sink=0.3; got {text!r}.")
        return cls(name, threshold)


def raised_alarms(report: Report, alarms: Iterable[Alarm]) -> list[str]:
    """Return a sentence for each alarm that goes off.

    Raises:
        InspectionError: an alarm watches something that the report could not measure.

    """
    return [message for alarm in alarms if (message := _judge(report, alarm)) is not None]


def _judge(report: Report, alarm: Alarm) -> str | None:
    metric = ALARMS[alarm.name]
    estimate = report.summary.get(metric)
    if estimate is None or (math.isnan(estimate.mean) and alarm.name != "drain"):
        raise InspectionError(
            f"The alarm {alarm.name} cannot be judged: {metric} was not measured in "
            f"{report.model}. Leave the alarm out."
        )
    below = alarm.name in BELOW
    # Without a sink there is no drained sink: NaN goes off neither way.
    if not (estimate.mean < alarm.threshold if below else estimate.mean > alarm.threshold):
        return None
    side = "below" if below else "above"
    return f"{alarm.name}: {metric} is {estimate.mean:.4g}, {side} {alarm.threshold:g}"
