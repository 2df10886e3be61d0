"""Key-value caches for decoding step by step.

With a key-side gate the cached values are the gated ones: the gate of a token is computed once,
when the token arrives, and reading the cache costs what it costs in plain attention.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pellucid.errors import ConfigError

NewTokens = Float[Tensor, "batch kv_heads tokens dim"]
AllTokens = Float[Tensor, "batch kv_heads keys dim"]


@runtime_checkable
class Cache(Protocol):
    """What `Attention` asks of a cache."""

    def positions(self, tokens: int, device: torch.device) -> Int[Tensor, "tokens"]:
        """Return the positions that the next tokens will have."""
        ...

    def append(self, key: NewTokens, value: NewTokens) -> tuple[AllTokens, AllTokens]:
        """Store the keys and values of new tokens and return all that queries may read."""
        ...

    def visible(self, queries: int, is_causal: bool) -> Bool[Tensor, "queries keys"] | None:
        """Mask what the last `queries` tokens stored may read; None: `is_causal` says it all."""
        ...


class KVCache:
    """A cache that grows with every step.

    Gradients flow through it, so use `torch.no_grad` when decoding.
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None
        self.value: Tensor | None = None

    @property
    def length(self) -> int:
        """Number of tokens stored."""
        return 0 if self.key is None else self.key.shape[-2]

    def positions(self, tokens: int, device: torch.device) -> Int[Tensor, "tokens"]:
        """Return the positions that the next tokens will have."""
        return torch.arange(self.length, self.length + tokens, device=device)

    def append(self, key: NewTokens, value: NewTokens) -> tuple[AllTokens, AllTokens]:
        """Store the keys and values of new tokens and return those of all tokens."""
        if self.key is not None and self.value is not None:
            key = torch.cat((self.key, key), dim=-2)
            value = torch.cat((self.value, value), dim=-2)
        self.key, self.value = key, value
        return key, value

    def visible(self, queries: int, is_causal: bool) -> None:
        """Return None: the last query sees the last key, as `softmax_attention` aligns them."""


class StaticKVCache:
    """A cache of fixed capacity, whose tensors never change their shape or place.

    That suits compiled and captured graphs. The number of tokens stored is itself a tensor. No
    gradients flow through it.

    Args:
        batch: sequences decoded together.
        kv_heads: key-value heads.
        capacity: the most tokens that fit.
        head_dim: width of a head's key and of its value.
        dtype: of keys and values; None: torch's default.
        device: of keys and values; None: torch's default.

    """

    def __init__(
        self,
        batch: int,
        kv_heads: int,
        capacity: int,
        head_dim: int,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        shape = (batch, kv_heads, capacity, head_dim)
        self.key = torch.zeros(shape, dtype=dtype, device=device)
        self.value = torch.zeros(shape, dtype=dtype, device=device)
        self.length = torch.zeros((), dtype=torch.long, device=device)

    @property
    def capacity(self) -> int:
        """The most tokens that fit."""
        return self.key.shape[-2]

    def positions(self, tokens: int, device: torch.device) -> Int[Tensor, "tokens"]:
        """Return the positions that the next tokens will have."""
        return self.length + torch.arange(tokens, device=device)

    def append(self, key: NewTokens, value: NewTokens) -> tuple[AllTokens, AllTokens]:
        """Store the keys and values of new tokens and return the whole buffers.

        Raises:
            ConfigError: the cache is full (checked in eager mode only; inside a compiled graph
                torch reports an index out of range).

        """
        tokens = key.shape[-2]
        if not torch.compiler.is_compiling() and int(self.length) + tokens > self.capacity:
            raise ConfigError(
                f"The cache holds {int(self.length)} of at most {self.capacity} tokens, so "
                f"{tokens} more do not fit: make it with a larger capacity, or use KVCache."
            )
        places = self.positions(tokens, key.device)
        self.key.index_copy_(-2, places, key.detach())
        self.value.index_copy_(-2, places, value.detach())
        self.length.add_(tokens)
        return self.key, self.value

    def visible(self, queries: int, is_causal: bool) -> Bool[Tensor, "queries keys"]:
        """Mask the places that are still empty and, if causal, those after each query."""
        keys = torch.arange(self.capacity, device=self.key.device)
        last = self.length - 1
        if is_causal:
            steps = torch.arange(queries, device=self.key.device) - (queries - 1)
            return keys <= (last + steps).unsqueeze(-1)
        return (keys <= last).expand(queries, -1)
