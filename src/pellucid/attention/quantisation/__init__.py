"""What few bits cost a model: simulated post-training quantisation.

`quantise` makes a model compute as if in few bits and itself again; `study` measures what that does
to its outputs, and which modules cost most.
"""

from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.handle import Quantised, quantise
from pellucid.attention.quantisation.report import QuantisationReport
from pellucid.attention.quantisation.study import study

__all__ = ["QuantisationConfig", "QuantisationReport", "Quantised", "quantise", "study"]
