"""Small inputs, and the comparison by the library's tolerance table."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pellucid.attention.reference import TOLERANCES

OTHER_DEVICES = [
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
    pytest.param(
        "mps",
        marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no MPS device"),
    ),
]


def heads(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of unit variance."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def qkv(
    batch: int = 2,
    heads_: int = 4,
    kv_heads: int = 4,
    queries: int = 5,
    keys: int = 5,
    dim: int = 8,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        heads(batch, heads_, queries, dim, seed=1, dtype=dtype),
        heads(batch, kv_heads, keys, dim, seed=2, dtype=dtype),
        heads(batch, kv_heads, keys, dim, seed=3, dtype=dtype),
    )


def assert_within(actual: Tensor, expected: Tensor, factor: float = 1.0) -> None:
    """Compare by the tolerance of the actual tensor's dtype."""
    assert actual.shape == expected.shape
    tolerance = factor * TOLERANCES[actual.dtype]
    torch.testing.assert_close(
        actual.double().cpu(), expected.double().cpu(), rtol=tolerance, atol=tolerance
    )
