"""What few bits cost a model: simulated post-training quantisation."""

from pellucid.attention.quantisation.config import QuantisationConfig
from pellucid.attention.quantisation.handle import Quantised, quantise

__all__ = ["QuantisationConfig", "Quantised", "quantise"]
