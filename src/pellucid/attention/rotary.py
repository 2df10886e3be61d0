"""Rotary position embedding (RoPE), arXiv:2104.09864, in the half-split layout of Llama."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rotate(
    heads: Float[Tensor, "batch heads tokens dim"], positions: Int[Tensor, "tokens"], base: float
) -> Float[Tensor, "batch heads tokens dim"]:
    """Rotate queries or keys by their positions.

    The pair (k, k + dim/2) of token t turns by the angle positions[t] · base^(−2k/dim), computed
    in float32 whatever the dtype of `heads`. dim is even.
    """
    half = heads.shape[-1] // 2
    exponents = torch.arange(half, device=heads.device, dtype=torch.float32) / half
    angles = positions.to(torch.float32).unsqueeze(-1) * base**-exponents
    cos, sin = angles.cos().to(heads.dtype), angles.sin().to(heads.dtype)
    first, second = heads[..., :half], heads[..., half:]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
