"""See sinks, drained values, extreme activations and stuck gates in a model while it runs."""

from pellucid.attention.diagnostics.inspector import Inspector, inspect
from pellucid.attention.diagnostics.report import Report
from pellucid.attention.diagnostics.states import (
    AttentionStates,
    Inspectable,
    InspectionError,
    Unmeasurable,
)

__all__ = [
    "AttentionStates",
    "Inspectable",
    "InspectionError",
    "Inspector",
    "Report",
    "Unmeasurable",
    "inspect",
]
