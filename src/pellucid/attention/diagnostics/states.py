"""What the diagnostics need to know of one call of one attention layer, whatever made it.

Axes: batch, heads (query heads), kv_heads, queries, keys, tokens (the keys that are tokens), dim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from pellucid.attention.gate import Placement
from pellucid.errors import PellucidError


class InspectionError(PellucidError):
    """Nothing could be measured, or a file of a report is not what it should be."""


@dataclass(frozen=True)
class AttentionStates:
    """One call of one attention layer, as its softmax sees it.

    Attributes:
        query: (batch, heads, queries, dim), after rotary positions.
        key: (batch, kv_heads, keys, dim), likewise.
        value: (batch, kv_heads, keys, value_dim), as it is mixed: after a key-side gate.
        scale: factor of the scores.
        masks: each broadcastable to (batch, heads, queries, keys), all of them apply; True where
            a query may see a key, or a float to add to the scores.
        causal_offset: query i sees the keys j ≤ i + causal_offset only; None: not causal.
        self_attention: queries and keys are made from the same tokens, the last query from the
            last key.
        prefix: number of leading keys that are no tokens (registers, a learned KV bias).
        raw_value: (batch, kv_heads, tokens, value_dim), the values before a key-side gate; None:
            there is no such gate.
        gate: (batch, gated heads, gated tokens), with a trailing dim for element gates.
        placement: whether the gate is on the keys' values or on the queries' mixed values.
        output_weight: W_O as (heads, value_dim, width); None: unknown.
        sink_logit: (heads,), one more term of the softmax's denominator that has no key.
        weigh: turns whole rows of masked scores into weights, for attention that is no softmax;
            None: softmax.
        softcap: scores are softcap · tanh(scores / softcap); None: they are not.

    """

    query: Tensor
    key: Tensor
    value: Tensor
    scale: float
    masks: tuple[Tensor, ...] = ()
    causal_offset: int | None = None
    self_attention: bool = True
    prefix: int = 0
    raw_value: Tensor | None = None
    gate: Tensor | None = None
    placement: Placement = "key"
    output_weight: Tensor | None = None
    sink_logit: Tensor | None = None
    softcap: float | None = None
    weigh: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Unmeasurable:
    """A call whose attention cannot be measured.

    Attributes:
        reason: why, as a sentence for people.

    """

    reason: str


@runtime_checkable
class Inspectable(Protocol):
    """A module that tells the diagnostics its own attention states."""

    def attention_states(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> AttentionStates | Unmeasurable:
        """Return the states of the call that has just ended.

        Args:
            args: positional arguments of the module's `forward`.
            kwargs: its keyword arguments.
            output: what it returned.

        """
        ...
