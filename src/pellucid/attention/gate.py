"""What a gate is: its specification, the named presets, and the module that computes it.

A gate is a number g = gain · σ(x · w + b) that multiplies either the values before they are mixed
(key-side: one gate per key token) or the mixed output (query-side: one gate per query token).
`GateSpec` holds every choice that tells the published gates apart; `PRESETS` names them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.errors import ConfigError

Signal = Literal["value", "input", "mixed"]
Placement = Literal["key", "query"]
Granularity = Literal["head", "element"]
Features = Literal["head", "all"]
Activation = Literal["sigmoid", "silu"]


@dataclass(frozen=True)
class GateSpec:
    """The choices that make a gate.

    Attributes:
        signal: what the gate looks at. `"value"`: the token's own value state V; `"input"`: the
            token's input state X, before the projections; `"mixed"`: the mixed value state
            z_i = Σ_j α_ij V_j. The last is this library's own definition, for cross-attention,
            where a query token has no value of its own.
        placement: `"key"` multiplies V_j before mixing, `"query"` multiplies z_i after it.
        granularity: one gate per head, or one per element of the head's vector.
        features: a head's gate sees its own head's part of the signal, or all of it.
        activation: `"sigmoid"`, σ(l), or `"silu"`, l·σ(l).
        gain: factor on the activation: 2 for 2σ, 1/π for a gate that starts at π and must not
            change the output of a trained model.
        bias: value of the bias at initialisation, as a logit; None: no bias.
        weight_std: standard deviation of the normal initialisation of the weight; 0: exactly zero,
            so that all tokens start with the same gate; None: the default of `torch.nn.Linear`.
        rank: width of the low-rank factorisation of the weight; None: full rank.

    Raises:
        ConfigError: the choices contradict each other.

    """

    signal: Signal = "value"
    placement: Placement = "key"
    granularity: Granularity = "head"
    features: Features = "head"
    activation: Activation = "sigmoid"
    gain: float = 1.0
    bias: float | None = None
    weight_std: float | None = 0.0
    rank: int | None = None

    def __post_init__(self) -> None:
        _check_choice("signal", self.signal, get_args(Signal))
        _check_choice("placement", self.placement, get_args(Placement))
        _check_choice("granularity", self.granularity, get_args(Granularity))
        _check_choice("features", self.features, get_args(Features))
        _check_choice("activation", self.activation, get_args(Activation))
        if self.signal == "mixed" and self.placement == "key":
            raise ConfigError(
                "A key-side gate cannot look at the mixed value state, which exists only after "
                "the keys' values are mixed: use signal='value', or placement='query'."
            )
        if self.rank is not None and self.rank < 1:
            raise ConfigError(f"rank must be at least 1, or None for full rank; got {self.rank}.")
        if self.rank is not None and self.features == "head":
            raise ConfigError("A low-rank gate looks at all features: use features='all'.")
        if self.weight_std is not None and self.weight_std < 0:
            raise ConfigError(f"weight_std must not be negative; got {self.weight_std}.")
        if not (math.isfinite(self.gain) and self.gain > 0):
            raise ConfigError(f"gain must be a positive number; got {self.gain}.")


def _check_choice(field: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{field} must be one of {', '.join(map(repr, choices))}; got {value!r}.")


_LOGIT_QUARTER = math.log(0.25 / 0.75)

PRESETS: Mapping[str, GateSpec] = MappingProxyType(
    {
        # Value-State Gated Attention, arXiv:2510.09017: §3.2 Eq. 6, and the multi-head form of
        # App. B. The paper states no initialisation; zero starts every token at σ(0) = 1/2.
        "vga-key": GateSpec("value", "key"),
        "vga-query": GateSpec("value", "query", features="all"),
        # Not in the paper: App. B's gate where a query has no value of its own.
        "vga-mixed": GateSpec("mixed", "query", features="all"),
        # The paper's input-gated baseline, and its query-side twin, which completes the square
        # {value, input} × {key, query}.
        "iga": GateSpec("input", "key", features="all"),
        "iga-query": GateSpec("input", "query", features="all"),
        # Bondarenko et al. 2023, "Quantizable Transformers": linear gate, from scratch with
        # π_init = 0.25; "all-heads features"; the fine-tuning form, the identity on average.
        "bondarenko": GateSpec("input", "query", bias=_LOGIT_QUARTER, weight_std=None),
        "bondarenko-all": GateSpec(
            "input", "query", features="all", bias=_LOGIT_QUARTER, weight_std=None
        ),
        "bondarenko-finetune": GateSpec(
            "input", "query", gain=4.0, bias=_LOGIT_QUARTER, weight_std=0.01
        ),
        # "Gated Attention for Large Language Models" (NeurIPS 2025): G1 after the mixing,
        # elementwise or headwise, and G2 on the values.
        "g1": GateSpec("input", "query", "element", features="all", weight_std=None),
        "g1-head": GateSpec("input", "query", "head", features="all", weight_std=None),
        "g2": GateSpec("input", "key", "element", features="all", weight_std=None),
    }
)


def gate_preset(name: str) -> GateSpec:
    """Return the published gate called `name`, one of `PRESETS`.

    Raises:
        ConfigError: there is no preset of that name.

    """
    if name not in PRESETS:
        raise ConfigError(f"There is no gate preset {name!r}: choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


class Gate(nn.Module):
    """Gates of one attention layer, computed as its `GateSpec` says.

    Parameters are `weight`, `bias` if the spec has one, and `down` if it has a rank. `weight` is
    (gates, signal width) with `features="all"`, (gates, rank) with a rank, and
    (gated heads, gates per head, signal width per head) with `features="head"`.

    Args:
        spec: what to compute.
        heads: query heads of the layer.
        head_dim: width of one head's value.
        kv_heads: key-value heads of the layer; None: as many as query heads.
        input_dim: width of the input state; needed with `signal="input"` only.

    Raises:
        ConfigError: the layer's sizes cannot carry this gate.

    """

    def __init__(
        self,
        spec: GateSpec,
        *,
        heads: int,
        head_dim: int,
        kv_heads: int | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__()
        kv_heads = heads if kv_heads is None else kv_heads
        self.spec = spec
        self.gated_heads = kv_heads if spec.placement == "key" else heads
        self.gates_per_head = head_dim if spec.granularity == "element" else 1
        self.signal_dim = _signal_dim(spec, heads, kv_heads, head_dim, input_dim)
        gates = self.gated_heads * self.gates_per_head
        if spec.features == "head":
            _check_head_features(spec, self.gated_heads, kv_heads, self.signal_dim)
            features = self.signal_dim // self.gated_heads
            shape = (self.gated_heads, self.gates_per_head, features)
        else:
            shape = (gates, spec.rank or self.signal_dim)
        self.weight = nn.Parameter(torch.empty(shape))
        self.down = None if spec.rank is None else nn.Linear(self.signal_dim, spec.rank, bias=False)
        self.bias = None if spec.bias is None else nn.Parameter(torch.empty(gates))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise the weights as the spec says."""
        if self.spec.weight_std is None:
            bound = self.weight.shape[-1] ** -0.5
            nn.init.uniform_(self.weight, -bound, bound)
        else:
            nn.init.normal_(self.weight, std=self.spec.weight_std)
        if self.down is not None:
            self.down.reset_parameters()
        if self.bias is not None and self.spec.bias is not None:
            nn.init.constant_(self.bias, self.spec.bias)

    def dense_weight(self) -> Float[Tensor, "gates signal"]:
        """Return the weight as one matrix over the whole signal, heads on its diagonal blocks.

        One matrix product with zeros in it is faster than a strided product per head.
        """
        if self.down is not None:
            return self.weight @ self.down.weight
        if self.spec.features == "all":
            return self.weight
        heads = self.gated_heads
        diagonal = torch.eye(heads, dtype=self.weight.dtype, device=self.weight.device)
        blocks = self.weight.unsqueeze(2) * diagonal[:, None, :, None]
        return blocks.reshape(heads * self.gates_per_head, self.signal_dim)

    def logits(
        self, signal: Float[Tensor, "batch tokens signal"]
    ) -> Float[Tensor, "batch tokens gates"]:
        """Compute the gate before its activation, heads side by side."""
        if signal.shape[-1] != self.signal_dim:
            raise ConfigError(
                f"This gate looks at a {self.spec.signal} signal of width {self.signal_dim}, "
                f"got one of shape {tuple(signal.shape)}."
            )
        if self.down is not None:
            return F.linear(self.down(signal), self.weight, self.bias)
        return F.linear(signal, self.dense_weight(), self.bias)

    def activate(self, logits: Tensor) -> Tensor:
        """Compute the gate from its logits, elementwise."""
        gate = F.silu(logits) if self.spec.activation == "silu" else torch.sigmoid(logits)
        return gate if self.spec.gain == 1.0 else gate * self.spec.gain

    def forward(self, signal: Float[Tensor, "batch tokens signal"]) -> Tensor:
        """Compute the gates of every token.

        Args:
            signal: the input states, or all heads' values or mixed values side by side
                (`merge_heads` makes that of a (batch, heads, tokens, dim) tensor without copying
                when it came from a projection).

        Returns:
            (batch, gated heads, tokens), with a trailing head_dim for element gates, as
            `value_gated_attention` takes it.

        Raises:
            ConfigError: the signal has another width than the gate was built for.

        """
        gate = self.activate(self.logits(signal))
        gate = gate.unflatten(-1, (self.gated_heads, self.gates_per_head)).transpose(1, 2)
        return gate if self.spec.granularity == "element" else gate.squeeze(-1)

    def extra_repr(self) -> str:
        """Show the spec in the module's printout."""
        return f"{self.spec}, heads={self.gated_heads}"


def merge_heads(
    heads: Float[Tensor, "batch heads tokens dim"],
) -> Float[Tensor, "batch tokens heads_dim"]:
    """All heads of a token side by side."""
    return heads.transpose(1, 2).flatten(2)


def _signal_dim(
    spec: GateSpec, heads: int, kv_heads: int, head_dim: int, input_dim: int | None
) -> int:
    if spec.signal == "value":
        return kv_heads * head_dim
    if spec.signal == "mixed":
        return heads * head_dim
    if input_dim is None:
        raise ConfigError("A gate on the input needs input_dim, the width of the input state.")
    return input_dim


def _check_head_features(spec: GateSpec, gated_heads: int, kv_heads: int, signal_dim: int) -> None:
    if spec.signal == "value" and gated_heads != kv_heads:
        raise ConfigError(
            f"{gated_heads} query heads share {kv_heads} value heads, so a query head has no value "
            "of its own to look at: use features='all' for a query-side gate with grouped queries."
        )
    if signal_dim % gated_heads:
        raise ConfigError(
            f"A signal of width {signal_dim} cannot be split among {gated_heads} heads: "
            "use features='all'."
        )
