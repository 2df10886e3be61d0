"""The same attention on FlexAttention, which compiles any mask or score change into one kernel.

FlexAttention is fused only under `torch.compile`; called as it is, torch computes the whole map.
torch has no backward pass for it on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import flex_attention as torch_flex
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from pellucid.attention.functional import apply_gate
from pellucid.attention.gate import Placement
from pellucid.errors import ConfigError

ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def flex_value_gated_attention(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    gate: Tensor,
    *,
    placement: Placement = "key",
    score_mod: ScoreMod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "batch heads queries value_dim"]:
    """Compute `value_gated_attention` with FlexAttention's `score_mod` and `block_mask`.

    The other arguments are as there; the mask is the block mask alone.

    Raises:
        ConfigError: the gate does not fit the tensor that it multiplies, or there is no such
            placement.

    """
    if placement == "key":
        value = apply_gate(value, gate, "value")
    elif placement != "query":
        raise ConfigError(f"placement must be 'key' or 'query'; got {placement!r}.")
    output = flex_attention(
        query, key, value, score_mod, block_mask, scale=scale, enable_gqa=enable_gqa
    )
    assert isinstance(output, Tensor)  # it is a pair only when the log-sum-exp is asked for
    return apply_gate(output, gate, "output") if placement == "query" else output


def flex_sink_attention(
    query: Float[Tensor, "#batch #heads queries dim"],
    key: Float[Tensor, "#batch #kv_heads keys dim"],
    value: Float[Tensor, "#batch #kv_heads keys value_dim"],
    logit: Float[Tensor, "heads"],
    *,
    score_mod: ScoreMod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "batch heads queries value_dim"]:
    """Attend with a sink logit per head, as the output times σ(LSE − s).

    Logits of zero make it softmax-off-by-one. `neighbours.LearnedSink` is the same function on
    `scaled_dot_product_attention`.
    """
    options: dict[str, Any] = {"scale": scale, "enable_gqa": enable_gqa}
    output, log_sum_exp = _with_log_sum_exp(query, key, value, score_mod, block_mask, options)
    kept = torch.sigmoid(log_sum_exp - logit[:, None])
    return apply_gate(output, kept, "output")


def _with_log_sum_exp(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: ScoreMod | None,
    block_mask: BlockMask | None,
    options: dict[str, Any],
) -> tuple[Tensor, Tensor]:
    """Ask for the log-sum-exp in the way that this torch understands (another one since 2.9)."""
    arguments: tuple[Any, ...] = (query, key, value, score_mod, block_mask)
    request = getattr(torch_flex, "AuxRequest", None)
    if request is None:
        return cast("tuple[Tensor, Tensor]", flex_attention(*arguments, **options, return_lse=True))
    output, auxiliary = cast(
        "tuple[Tensor, Any]", flex_attention(*arguments, **options, return_aux=request(lse=True))
    )
    return output, auxiliary.lse
