"""The metrics of one call of one attention layer, and their definitions.

Everything here is per sample and head; `running` and `report` gather it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from pellucid.attention.diagnostics.columns import Columns, attention_columns
from pellucid.attention.diagnostics.states import AttentionStates
from pellucid.attention.reference import repeat_heads

# A gate below or above these is saturated.
LOW, HIGH = 0.05, 0.95

# α_k is the mean attention on key k over the queries that may see it.
DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "first_attention": "α_1: mean attention on the first token over the queries that may see "
        "it. Its mean over heads and layers is F-Attn (Gated Attention, NeurIPS 2025).",
        "sink_first": "1[α_1 > ε]. Its mean over samples, layers and heads is Sink_1^ε (Gu et al. "
        "2024, 'When Attention Sink Emerges'), with α_k = Σ_{i≥k} A_ik / (T−k+1) for causal "
        "attention.",
        "sink_any": "1[max_k α_k > ε] over the keys k that at least half of the queries may see: "
        "the last tokens of a causal sequence are seen by few and are left out.",
        "strongest_attention": "max_k α_k over the same keys; its k is the strongest key.",
        "delta_logit": "s_i0 − mean of s_ij over the other visible keys j ∉ {0, i}, mean over the "
        "queries i ≠ 0; for causal attention Δlogit of Guo et al. 2024 ('Active-Dormant Attention "
        "Heads').",
        "drain_first": "‖v_1‖ / median_j ‖v_j‖ over the sample's tokens, values before any gate.",
        "drain_strongest": "the same ratio for the strongest key.",
        "contribution_first": "share of the first token in Σ_ij α_ij g ‖v_j W_O‖ of the head, g "
        "being the gate, if any.",
        "contribution_strongest": "the same share for the strongest key.",
        "prefix_attention": "attention on keys that are no tokens (registers, KV bias), per query.",
        "gate_mean": "mean gate over tokens.",
        "gate_low": f"share of gates below {LOW}.",
        "gate_high": f"share of gates above {HIGH}.",
    }
)


@dataclass(frozen=True)
class Measurement:
    """The metrics of one call.

    Attributes:
        values: metric name to (batch, heads), NaN where it does not exist; gates have their own
            number of heads.
        position: (batch, heads), the strongest key, counted from the first token.
        mass: (batch, heads, tokens), α_k counted from the first token; NaN beyond the sample.
        norms: (batch, kv_heads, tokens), value norms, aligned alike.
        valid: (batch, queries), which queries are real tokens.
        gate_peak: (gated heads[, dim]), the largest gate seen; None without a gate.

    """

    values: dict[str, Tensor]
    position: Tensor
    mass: Tensor
    norms: Tensor
    valid: Tensor
    gate_peak: Tensor | None


@torch.no_grad()
def measure(states: AttentionStates, epsilon: float) -> Measurement:
    """Measure one call; ε is the threshold of a sink."""
    columns = attention_columns(states)
    alpha = columns.mass / columns.seen.clamp(min=1)
    strongest, index = _strongest(alpha, columns, states.prefix)
    first = columns.first[:, None].expand_as(index)
    norms, median = _value_norms(states, columns)
    values = {
        "first_attention": _at(alpha, first),
        "strongest_attention": strongest,
        "delta_logit": columns.delta_logit,
        "drain_first": _at(norms, first) / median,
        "drain_strongest": _at(norms, index) / median,
    }
    values["sink_first"] = (values["first_attention"] > epsilon).double()
    values["sink_any"] = (strongest > epsilon).double()
    if states.prefix:
        queries = columns.valid_queries.sum(dim=-1)[:, None]
        values["prefix_attention"] = columns.mass[..., : states.prefix].sum(dim=-1) / queries
    share = _contribution_shares(states, columns)
    if share is not None:
        values["contribution_first"] = _at(share, first)
        values["contribution_strongest"] = _at(share, index)
    gate_values, peak = _gates(states, columns)
    shift = columns.first
    return Measurement(
        values=values | gate_values,
        position=index - first,
        mass=_align(alpha.masked_fill(~columns.valid_keys[:, None], torch.nan), shift),
        norms=_align(norms[:, :: norms.shape[1] // states.value.shape[1]], shift),
        valid=columns.valid_queries,
        gate_peak=peak,
    )


def _strongest(alpha: Tensor, columns: Columns, prefix: int) -> tuple[Tensor, Tensor]:
    queries = columns.valid_queries.sum(dim=-1)[:, None, None]
    eligible = columns.valid_keys[:, None] & (2 * columns.seen >= queries)
    eligible[..., :prefix] = False
    strongest, index = alpha.masked_fill(~eligible, -1.0).max(dim=-1)
    return strongest.masked_fill(strongest < 0, torch.nan), index


def _value_norms(states: AttentionStates, columns: Columns) -> tuple[Tensor, Tensor]:
    """Return (batch, heads, keys) norms, NaN where there is no token, and (batch, heads) medians.

    The prefix has norms of the values as they are mixed.
    """
    values = states.value
    if states.raw_value is not None:
        values = torch.cat((values[:, :, : states.prefix], states.raw_value), dim=-2)
    batch, heads = states.query.shape[:2]
    norms = torch.linalg.vector_norm(values.float(), dim=-1).expand(batch, -1, -1)
    known = columns.valid_keys[:, None].clone()
    known[..., : states.prefix] = False
    norms = norms.masked_fill(~known, torch.nan)
    median = norms.nanquantile(0.5, dim=-1)
    repeats = heads // norms.shape[1]
    return norms.repeat_interleave(repeats, dim=1), median.repeat_interleave(repeats, dim=1)


def _contribution_shares(states: AttentionStates, columns: Columns) -> Tensor | None:
    """Return each key's share of Σ_ij α_ij g ‖v_j W_O‖; None where that cannot be told."""
    element_gate = states.gate is not None and states.gate.ndim == 4
    if states.output_weight is None or (element_gate and states.placement == "query"):
        return None
    # ‖v W‖ = ‖v Rᵀ‖ for Wᵀ = QR: value_dim numbers a token instead of the model's width.
    triangle = torch.linalg.qr(states.output_weight.float().mT, mode="r").R
    value = repeat_heads(states.value, states.query.shape[1]).float()
    norms = torch.linalg.vector_norm(value @ triangle.mT, dim=-1)
    contributions = columns.gated_mass.abs() * norms
    return contributions / contributions.sum(dim=-1, keepdim=True)


def _gates(states: AttentionStates, columns: Columns) -> tuple[dict[str, Tensor], Tensor | None]:
    gate = states.gate
    if gate is None:
        return {}, None
    batch = states.query.shape[0]
    gate = gate.expand(batch, *gate.shape[1:]).float()
    if states.placement == "query":
        valid = columns.valid_queries
    else:
        valid = columns.valid_keys[:, states.prefix :]
    valid = valid[:, -gate.shape[2] :][:, None]
    elements = gate if gate.ndim == 4 else gate.unsqueeze(-1)
    known = valid.unsqueeze(-1).expand_as(elements)
    count = known.sum(dim=(-2, -1))

    def share(what: Tensor) -> Tensor:
        return torch.where(known, what, 0.0).sum(dim=(-2, -1)) / count

    values = {
        "gate_mean": share(elements),
        "gate_low": share((elements < LOW).float()),
        "gate_high": share((elements > HIGH).float()),
    }
    peak = elements.masked_fill(~known, -torch.inf).amax(dim=(0, 2))
    return values, peak


def _at(tensor: Tensor, index: Tensor) -> Tensor:
    """Pick (batch, heads, keys) at (batch, heads)."""
    return tensor.gather(-1, index.unsqueeze(-1)).squeeze(-1)


def _align(tensor: Tensor, first: Tensor) -> Tensor:
    """Move each sample's first token to index 0; what is left over at the end is NaN."""
    keys = tensor.shape[-1]
    index = torch.arange(keys, device=tensor.device) + first[:, None]
    moved = tensor.gather(-1, index.clamp(max=keys - 1)[:, None].expand_as(tensor))
    return moved.masked_fill((index >= keys)[:, None], torch.nan)
