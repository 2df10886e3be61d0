"""The attention layer: projections, heads, rotary positions, cache, gate, attention function."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention import lean
from pellucid.attention.cache import Cache
from pellucid.attention.functional import Mask, apply_gate, combine_masks
from pellucid.attention.gate import Gate, GateSpec, gate_preset, merge_heads
from pellucid.attention.neighbours.base import (
    AttentionFunction,
    SoftmaxAttention,
    prepend_keys,
)
from pellucid.attention.rotary import rotate
from pellucid.errors import ConfigError

Queries = Float[Tensor, "batch queries dim"]
Context = Float[Tensor, "batch keys context_dim"]
Values = Float[Tensor, "batch keys values_dim"]


@dataclass(frozen=True)
class AttentionConfig:
    """Sizes and choices of one attention layer.

    Attributes:
        dim: width of the query tokens and of the output.
        heads: query heads.
        kv_heads: key-value heads, a divisor of `heads`; None: as many as `heads`.
        head_dim: width of a head; None: dim / heads.
        context_dim: width of the tokens that keys are made from, for cross-attention; None: this
            is a self-attention layer, or its context is as wide as its queries.
        value_dim: width of the tokens that values are made from; None: as for keys.
        bias: the projections have a bias.
        dropout: probability of dropping an attention weight in training.
        rope_base: base of the rotary position embedding; None: none.
        gate: a `GateSpec` or the name of a preset; None: no gate.

    Raises:
        ConfigError: the sizes do not fit each other.

    """

    dim: int
    heads: int
    kv_heads: int | None = None
    head_dim: int | None = None
    context_dim: int | None = None
    value_dim: int | None = None
    bias: bool = True
    dropout: float = 0.0
    rope_base: float | None = None
    gate: GateSpec | str | None = None

    def __post_init__(self) -> None:
        if self.heads < 1 or (self.head_dim is None and self.dim % self.heads):
            raise ConfigError(f"A width of {self.dim} cannot be split among {self.heads} heads.")
        if self.key_heads < 1 or self.heads % self.key_heads:
            raise ConfigError(f"{self.heads} heads cannot share {self.kv_heads} key-value heads.")
        if self.rope_base is not None and self.width % 2:
            raise ConfigError(f"Rotary positions need an even head_dim; got {self.width}.")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must be in [0, 1); got {self.dropout}.")
        if self.context_dim is not None and self.gate_spec is not None:
            _check_cross_gate(self.gate_spec)

    @property
    def key_heads(self) -> int:
        """Key-value heads."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def width(self) -> int:
        """Width of a head."""
        return self.dim // self.heads if self.head_dim is None else self.head_dim

    @property
    def gate_spec(self) -> GateSpec | None:
        """The gate's specification, looked up if it was given by name."""
        return gate_preset(self.gate) if isinstance(self.gate, str) else self.gate


class Attention(nn.Module):
    """Self-attention or cross-attention with an optional gate, and any attention function.

    Args:
        config: sizes and choices.
        function: what weighs the keys; None: softmax.

    """

    def __init__(self, config: AttentionConfig, function: AttentionFunction | None = None) -> None:
        super().__init__()
        self.config = config
        inner, kv_inner = config.heads * config.width, config.key_heads * config.width
        context_dim = config.dim if config.context_dim is None else config.context_dim
        value_dim = context_dim if config.value_dim is None else config.value_dim
        self.q_proj = nn.Linear(config.dim, inner, bias=config.bias)
        self.k_proj = nn.Linear(context_dim, kv_inner, bias=config.bias)
        self.v_proj = nn.Linear(value_dim, kv_inner, bias=config.bias)
        self.out_proj = nn.Linear(inner, config.dim, bias=config.bias)
        self.function = SoftmaxAttention() if function is None else function
        spec = config.gate_spec
        self.gate = None
        if spec is not None:
            self.gate = Gate(
                spec,
                heads=config.heads,
                head_dim=config.width,
                kv_heads=config.key_heads,
                input_dim=value_dim if spec.placement == "key" else config.dim,
            )

    def forward(
        self,
        tokens: Queries,
        context: Context | None = None,
        *,
        values: Values | None = None,
        attn_mask: Mask | None = None,
        is_causal: bool = False,
        cache: Cache | None = None,
    ) -> Queries:
        """Attend from `tokens` to `context`.

        Args:
            tokens: what the queries are made from.
            context: what the keys are made from, and the values; None: `tokens`.
            values: what the values are made from; None: `context`.
            attn_mask: as in `value_gated_attention`; with a cache, over all keys it returns.
            is_causal: a token sees no later one.
            cache: earlier keys and values of a self-attention; the new ones are stored in it.

        Returns:
            As many tokens as came in, of the same width.

        Raises:
            ConfigError: a gate from the queries' own values meets a foreign context, or a cache
                is used in cross-attention.

        """
        context = tokens if context is None else context
        values = context if values is None else values
        if self.gate is not None and values is not tokens:
            _check_cross_gate(self.gate.spec)
        if cache is not None and context is not tokens:
            raise ConfigError("A cache holds a self-attention's own tokens: give no context.")
        query, key = self._queries_and_keys(tokens, context, cache)
        value = self._values(values)
        query_gate = self._query_gate_from(tokens, value)
        if cache is not None:
            key, value = cache.append(key, value)
            visible = cache.visible(tokens.shape[1], is_causal)
            is_causal = is_causal and visible is None
            attn_mask = combine_masks(attn_mask, visible)
        mixed = self._mix(query, key, value, attn_mask, is_causal)
        return self.out_proj(merge_heads(self._gate_output(mixed, query_gate)))

    def _queries_and_keys(
        self, tokens: Queries, context: Context, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        query = split_heads(self.q_proj(tokens), self.config.heads)
        key = split_heads(self.k_proj(context), self.config.key_heads)
        if self.config.rope_base is None:
            return query, key
        if cache is None:
            query_positions = torch.arange(query.shape[-2], device=query.device)
            key_positions = torch.arange(key.shape[-2], device=key.device)
        else:
            query_positions = key_positions = cache.positions(query.shape[-2], query.device)
        base = self.config.rope_base
        return rotate(query, query_positions, base), rotate(key, key_positions, base)

    def _values(self, states: Values) -> Float[Tensor, "batch kv_heads keys head_dim"]:
        """Project the values and, with a key-side gate, multiply them by it."""
        if self.gate is None or self.gate.spec.placement == "query":
            return split_heads(self.v_proj(states), self.config.key_heads)
        if lean.applies(self.gate, self.v_proj, states):
            gated = lean.project_gated_values(states, self.v_proj, self.gate)
            return split_heads(gated, self.config.key_heads)
        flat = self.v_proj(states)
        gate = self.gate(flat if self.gate.spec.signal == "value" else states)
        return apply_gate(split_heads(flat, self.config.key_heads), gate, "value")

    def _query_gate_from(self, tokens: Queries, value: Tensor) -> Tensor | None:
        """Compute a query-side gate that needs the new tokens only, before a cache hides them."""
        if self.gate is None or self.gate.spec.placement == "key":
            return None
        if self.gate.spec.signal == "input":
            return self.gate(tokens)
        return self.gate(merge_heads(value)) if self.gate.spec.signal == "value" else None

    def _mix(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Mask | None, is_causal: bool
    ) -> Float[Tensor, "batch heads queries head_dim"]:
        prefix = self.function.prefix_tokens()
        if prefix is not None:
            prefix_key = split_heads(self.k_proj(prefix[None]), self.config.key_heads)
            key, value = prepend_keys(key, value, prefix_key, self._values(prefix[None]))
        return self.function(
            query,
            key,
            value,
            attn_mask=attn_mask,
            is_causal=is_causal,
            dropout_p=self.config.dropout if self.training else 0.0,
        )

    def _gate_output(self, mixed: Tensor, gate: Tensor | None) -> Tensor:
        if self.gate is not None and self.gate.spec.signal == "mixed":
            gate = self.gate(merge_heads(mixed))
        return mixed if gate is None else apply_gate(mixed, gate, "output")


def split_heads(
    tokens: Float[Tensor, "batch tokens heads_dim"], heads: int
) -> Float[Tensor, "batch heads tokens dim"]:
    """Make a token's heads an axis of their own; the inverse of `merge_heads`."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def _check_cross_gate(spec: GateSpec) -> None:
    if spec.signal == "value" and spec.placement == "query":
        raise ConfigError(
            "In cross-attention a query token has no value of its own, so App. B's query-side gate "
            "does not exist. Use 'vga-mixed' (a gate on the mixed value state), 'vga-key', or a "
            "gate on the input."
        )
