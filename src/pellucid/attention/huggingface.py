"""This library's attention under a name of its own in transformers' `AttentionInterface`.

`register` makes it known together with its mask function. Without a mask function of the same name
transformers hands the attention no mask at all, and padding, or even causality, is lost without a
word. Gates do not need it: `pellucid.attention.retrofit` puts them on a model whatever attention
implementation it uses.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pellucid.attention.functional import softmax_attention
from pellucid.errors import ConfigError

NAME = "pellucid"


def register(name: str = NAME) -> None:
    """Make `attn_implementation=name` known to transformers, with its mask function.

    Raises:
        ConfigError: transformers is not installed.

    """
    try:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import sdpa_mask
    except ImportError as error:
        raise ConfigError("Registering needs the package transformers: install it.") from error
    AttentionInterface.register(name, attention_forward)
    AttentionMaskInterface.register(name, sdpa_mask)


def attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **_unused: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers calls it.

    Args:
        module: the attention layer that calls.
        query: (batch, heads, queries, dim).
        key: (batch, kv_heads, keys, dim).
        value: likewise.
        attention_mask: bool or additive, from transformers' mask function.
        dropout: probability of dropping an attention weight.
        scaling: factor of the scores.
        is_causal: a query sees no later key; None: as the module says.
        **_unused: what transformers passes to other implementations.

    Returns:
        (batch, queries, heads, dim), and None for the map.

    Raises:
        ConfigError: this function was registered without a mask function.

    """
    _check_mask_function(module)
    if is_causal is None:
        is_causal = bool(getattr(module, "is_causal", True))
    mixed = softmax_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        is_causal=is_causal and attention_mask is None,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return mixed.transpose(1, 2).contiguous(), None


def _check_mask_function(module: Any) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    name = module.config._attn_implementation
    if name not in ALL_MASK_ATTENTION_FUNCTIONS:
        raise ConfigError(
            f"{name!r} has no mask function in transformers, so padding and causality would be "
            "lost: register it with pellucid.attention.huggingface.register."
        )
