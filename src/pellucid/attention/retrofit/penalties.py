"""What to add to the loss so that gates move and sinks are not worth having.

A trained model has its sinks already, and gates that start as the identity were reported to stay
there (qiuzh20/gated_attention, issue 10). Each penalty makes one symptom cost something, so that
shutting a gate becomes the cheaper way to do nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def drain_penalty(
    value: Float[Tensor, "batch kv_heads tokens head_dim"],
) -> Float[Tensor, ""]:
    """How far the first token's value norm is below the median of the others.

    mean over batch and heads of max(0, 1 − ‖v_1‖ / median_{j>1} ‖v_j‖), in [0, 1]. The value is the
    one before the gate; the median is held constant, so that the others are not made small
    instead. Value drains are the observation of Guo et al. 2024, "Active-Dormant Attention Heads";
    this hinge on the drain ratio is this library's own.
    """
    norms = value.float().norm(dim=-1)
    if norms.shape[-1] < 2:
        return norms.sum() * 0.0
    others = norms[..., 1:].median(dim=-1).values.detach()
    ratio = norms[..., 0] / others.clamp_min(1e-6)
    return (1.0 - ratio).clamp_min(0.0).mean()


def sink_penalty(
    attention_map: Float[Tensor, "batch heads queries keys"], threshold: float = 0.3
) -> Float[Tensor, ""]:
    """How far attention on the first token exceeds a threshold.

    mean over batch and heads of max(0, α_1 − ε), where α_1 is the mean attention of the queries
    i > 1 on the first key. α_1 and ε = 0.3 are those of Gu et al. 2025, "When Attention Sink
    Emerges in Language Models", but for the first query, which sees nothing else when causal; the
    hinge is this library's own. It needs the whole map, and so eager attention.
    """
    mass = attention_map[:, :, 1:, 0].float()
    if mass.shape[-1] == 0:
        return mass.sum() * 0.0
    return (mass.mean(dim=-1) - threshold).clamp_min(0.0).mean()


def ffn_output_penalty(output: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, ""]:
    """Mean square of a feed-forward block's output, before it is added to the residual stream.

    Bondarenko et al. 2023, "Quantizable Transformers", App. B.6, regularise the FFN outputs when
    they fine-tune OPT-1.3B with gates, for the FFN is where the outliers are written. The mean
    square, in float32, is this library's choice of norm.
    """
    return output.float().square().mean()


def mean_or_zero(terms: list[Tensor], like: Tensor) -> Float[Tensor, ""]:
    """Mean of one penalty over layers; zero for none."""
    return torch.stack(terms).mean() if terms else torch.zeros_like(like)
