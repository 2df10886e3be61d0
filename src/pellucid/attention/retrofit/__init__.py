"""Gates for models that exist: put on in one call, checked, trained, saved, taken off.

Needs the package safetensors, and transformers for its models. The module `finetune` is the
recipe for gates that will not move, with `objectives`, `penalties` and `measures` beside it.
"""

from pellucid.attention.retrofit.handle import Retrofit, retrofit
from pellucid.attention.retrofit.identity import starting_at_identity, why_not_identity
from pellucid.attention.retrofit.parity import Parity
from pellucid.attention.retrofit.storage import load_retrofit, save_retrofit

__all__ = [
    "Parity",
    "Retrofit",
    "load_retrofit",
    "retrofit",
    "save_retrofit",
    "starting_at_identity",
    "why_not_identity",
]
