"""The metrics once more from whole attention maps, with loops over samples and heads."""

from __future__ import annotations

import numpy as np
import torch

from pellucid.attention.diagnostics.states import AttentionStates


def whole_mask(states: AttentionStates) -> np.ndarray:
    """(batch, heads, queries, keys): what is added to the scores."""
    batch, heads, queries, _ = states.query.shape
    keys = states.key.shape[-2]
    total = np.zeros((batch, heads, queries, keys))
    for mask in states.masks:
        if mask.dtype == torch.bool:
            added = np.where(mask.numpy(), 0.0, -np.inf)
        else:
            added = mask.double().numpy()
            added = np.where(added < -1e30, -np.inf, added)
        total = total + added
    if states.causal_offset is not None:
        for query in range(queries):
            total[:, :, query, query + states.causal_offset + 1 :] = -np.inf
    return total


def naive_metrics(states: AttentionStates, epsilon: float) -> dict[str, np.ndarray]:
    """Metric name to (batch, heads)."""
    mask = whole_mask(states)
    batch, heads, queries, keys = mask.shape
    group = heads // states.key.shape[1]
    q, k, v = (t.double().numpy() for t in (states.query, states.key, states.value))
    raw = v if states.raw_value is None else states.raw_value.double().numpy()
    names = [
        *("first_attention", "strongest_attention", "delta_logit", "drain_first"),
        *("drain_strongest", "sink_first", "sink_any"),
        *("contribution_first", "contribution_strongest"),
    ]
    result = {name: np.full((batch, heads), np.nan) for name in names}
    for b in range(batch):
        allowed_any = np.isfinite(mask[b]).any(axis=(0, 1))
        first = int(np.flatnonzero(allowed_any)[0])
        own = keys - queries if states.self_attention and queries <= keys else None
        rows = [i for i in range(queries) if own is None or allowed_any[i + own]]
        for h in range(heads):
            scores = states.scale * q[b, h] @ k[b, h // group].T + mask[b, h]
            alpha, contribution, norms = np.zeros(keys), np.zeros(keys), np.zeros(keys)
            seen = np.zeros(keys)
            deltas = []
            for i in rows:
                visible = np.isfinite(scores[i])
                if not visible.any():
                    continue
                row = np.where(visible, np.exp(scores[i] - scores[i][visible].max()), 0.0)
                row = row / row.sum()
                alpha += row
                seen += visible
                gate = 1.0
                if states.gate is not None and states.placement == "query":
                    gate = float(states.gate[b, h, i])
                contribution += gate * row
                mine = None if own is None else i + own
                others = [j for j in range(keys) if visible[j] and j not in (first, mine)]
                if mine != first and visible[first] and others:
                    deltas.append(scores[i][first] - np.mean([scores[i][j] for j in others]))
            for j in range(keys):
                norms[j] = np.linalg.norm(raw[b, h // group, j])
                weight = states.output_weight[h].double().numpy()
                contribution[j] *= np.linalg.norm(v[b, h // group, j] @ weight)
            alpha = alpha / np.maximum(seen, 1)
            eligible = [j for j in range(keys) if allowed_any[j] and 2 * seen[j] >= len(rows)]
            strongest = max(eligible, key=lambda j: alpha[j])
            median = np.median(norms[allowed_any])
            result["first_attention"][b, h] = alpha[first]
            result["strongest_attention"][b, h] = alpha[strongest]
            result["delta_logit"][b, h] = np.mean(deltas) if deltas else np.nan
            result["drain_first"][b, h] = norms[first] / median
            result["drain_strongest"][b, h] = norms[strongest] / median
            result["sink_first"][b, h] = alpha[first] > epsilon
            result["sink_any"][b, h] = alpha[strongest] > epsilon
            if contribution.sum() > 0:
                share = contribution / contribution.sum()
                result["contribution_first"][b, h] = share[first]
                result["contribution_strongest"][b, h] = share[strongest]
    return result
