"""The gradients of vanilla, input-gated and value-gated attention in closed form, for one head.

With upstream gradient δ_i = ∂L/∂z_i, U_j = Σ_i α_ij δ_i and W_g = w (arXiv:2510.09017, §3, whose
Eq. 7–8 are the key-side value gate; the others follow the same way):

    ∂L/∂V_j   vanilla        U_j
              input, key     g_j U_j
              value, key     g_j U_j + g_j (1 − g_j) (V_j · U_j) w
              input, query   Σ_i α_ij g_i δ_i
              value, query   Σ_i α_ij g_i δ_i + g_j (1 − g_j) (z_j · δ_j) w

    ∂L/∂s_ij = α_ij (d_i · u_j − Σ_k α_ik d_i · u_k)
              vanilla d = δ, u = V;   key-side d = δ, u = g V;   query-side d = g δ, u = V
"""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from pellucid.attention.gate import Placement


class AttentionGradients(NamedTuple):
    """Gradients of the loss.

    Attributes:
        value: ∂L/∂V, (..., keys, dim).
        scores: ∂L/∂s of the scores before the softmax, (..., queries, keys).

    """

    value: Tensor
    scores: Tensor


def attention_gradients(
    attention_map: Float[Tensor, "*batch queries keys"],
    value: Float[Tensor, "*batch keys dim"],
    upstream: Float[Tensor, "*batch queries dim"],
    gate: Float[Tensor, "*batch tokens"] | None = None,
    gate_weight: Float[Tensor, "dim"] | None = None,
    *,
    placement: Placement = "key",
) -> AttentionGradients:
    """Compute ∂L/∂V and ∂L/∂s without autograd.

    Args:
        attention_map: α, the softmax of the scores.
        value: V, before any gate.
        upstream: δ, the gradient of the output.
        gate: g in (0, 1), one per key or per query; None: vanilla attention.
        gate_weight: w of g = σ(V w + b); None: the gate does not depend on V, which is the
            input-gated case. With `placement="query"` queries and keys are the same tokens.
        placement: `"key"` or `"query"`.

    """
    if gate is None:
        pulled = attention_map.mT @ upstream
        return AttentionGradients(pulled, _score_gradient(attention_map, upstream, value))
    g = gate.unsqueeze(-1)
    if placement == "key":
        pulled = attention_map.mT @ upstream
        grad_value, reactive = g * pulled, (value * pulled).sum(-1, keepdim=True)
        grad_scores = _score_gradient(attention_map, upstream, g * value)
    else:
        grad_value = attention_map.mT @ (g * upstream)
        reactive = ((attention_map @ value) * upstream).sum(-1, keepdim=True)
        grad_scores = _score_gradient(attention_map, g * upstream, value)
    if gate_weight is not None:
        grad_value = grad_value + g * (1 - g) * reactive * gate_weight
    return AttentionGradients(grad_value, grad_scores)


def _score_gradient(attention_map: Tensor, d: Tensor, u: Tensor) -> Tensor:
    """Push d_i · u_j through the softmax."""
    products = d @ u.mT
    mean = (attention_map * products).sum(-1, keepdim=True)
    return attention_map * (products - mean)
