"""A stand-in for `torch.nn.MultiheadAttention`, with a gate."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.functional import Mask, combine_masks
from pellucid.attention.gate import GateSpec
from pellucid.attention.module import Attention, AttentionConfig, split_heads
from pellucid.attention.neighbours import AttentionFunction, SoftmaxAttention
from pellucid.attention.reference import reference_attention
from pellucid.attention.torch_multihead import (
    projection_biases,
    projection_weights,
    to_batch_first,
    to_seen,
)
from pellucid.errors import ConfigError


class MultiheadAttention(nn.Module):
    """`Attention` behind the calling convention of `torch.nn.MultiheadAttention`.

    That convention differs from the rest of this library: sequences first unless `batch_first`,
    True in a mask means that a key may NOT be seen, and the attention map comes back by default,
    which costs the memory of the map; pass `need_weights=False` for the fused kernels.

    In place of `add_zero_attn` use `function=SoftmaxOffByOne()`, and of `add_bias_kv`
    `function=KVBias(...)`.

    Args:
        embed_dim: width of the queries and of the output.
        num_heads: heads.
        dropout: probability of dropping an attention weight in training.
        bias: the projections have a bias.
        kdim: width of the keys' tokens; None: embed_dim.
        vdim: width of the values' tokens; None: embed_dim.
        batch_first: sequences are (batch, tokens, dim) and not (tokens, batch, dim).
        gate: a `GateSpec` or the name of a preset; None: no gate.
        function: what weighs the keys; None: softmax.

    Raises:
        ConfigError: the sizes do not fit each other, or cannot carry this gate.

    """

    # torch.nn.TransformerEncoderLayer looks for this one to see that its own fused path is off.
    in_proj_bias = None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        gate: GateSpec | str | None = "vga-key",
        function: AttentionFunction | None = None,
    ) -> None:
        super().__init__()
        config = AttentionConfig(
            embed_dim,
            num_heads,
            context_dim=kdim,
            value_dim=embed_dim if vdim is None else vdim,
            bias=bias,
            dropout=dropout,
            gate=gate,
        )
        self.attention = Attention(config, function)
        self.batch_first = batch_first

    @classmethod
    def from_torch(
        cls, source: nn.MultiheadAttention, *, gate: GateSpec | str | None = "vga-key"
    ) -> MultiheadAttention:
        """Copy the weights of a trained `torch.nn.MultiheadAttention` and add a gate.

        Raises:
            ConfigError: the source has `add_bias_kv` or `add_zero_attn`, or cannot carry this gate.

        """
        if source.bias_k is not None or source.add_zero_attn:
            raise ConfigError(
                "add_bias_kv and add_zero_attn are not copied: build MultiheadAttention with "
                "function=KVBias(...) or function=SoftmaxOffByOne()."
            )
        copy = cls(
            source.embed_dim,
            source.num_heads,
            source.dropout,
            source.out_proj.bias is not None,
            kdim=None if source.kdim == source.embed_dim else source.kdim,
            vdim=source.vdim,
            batch_first=source.batch_first,
            gate=gate,
        )
        copy.to(source.out_proj.weight).train(source.training)
        copy._load_projections(source)
        return copy

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend as `torch.nn.MultiheadAttention` does.

        Args:
            query: (queries, batch, embed_dim), (batch, queries, embed_dim) with `batch_first`, or
                (queries, embed_dim).
            key: likewise, of width kdim.
            value: likewise, of width vdim. For a self-attention pass one tensor three times.
            key_padding_mask: (batch, keys); True, or −inf, where a key is padding.
            need_weights: return the attention map too.
            attn_mask: (queries, keys) or (batch · heads, queries, keys); True, or −inf, where a
                query may not see a key.
            average_attn_weights: return the mean map of the heads.
            is_causal: a query sees no later key, whether or not `attn_mask` says so.

        Returns:
            The output, in the layout of `query`, and None or the map before the gate,
            (batch, queries, keys), with heads after batch unless averaged.

        Raises:
            ConfigError: a map is asked of an attention function other than softmax.

        """
        batched = query.ndim == 3
        tokens, context, values = self._to_batch_first(query, key, value)
        if key_padding_mask is not None and not batched:
            key_padding_mask = key_padding_mask[None]
        mask = self._mask(key_padding_mask, attn_mask, tokens.shape[0])
        output = self.attention(tokens, context, values=values, attn_mask=mask, is_causal=is_causal)
        weights = self._map(tokens, context, mask, is_causal) if need_weights else None
        if weights is not None and average_attn_weights:
            weights = weights.mean(dim=1)
        if not batched:
            return output[0], None if weights is None else weights[0]
        return output if self.batch_first else output.transpose(0, 1), weights

    def _to_batch_first(
        self, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Bring tokens to (batch, tokens, dim), keeping one tensor one where it was given twice."""
        tokens = to_batch_first(query, self.batch_first)
        context = tokens if key is query else to_batch_first(key, self.batch_first)
        if value is query:
            return tokens, context, tokens
        values = context if value is key else to_batch_first(value, self.batch_first)
        return tokens, context, values

    def _mask(
        self, key_padding_mask: Tensor | None, attn_mask: Tensor | None, batch: int
    ) -> Mask | None:
        """Merge torch's two masks into one in which True means seen."""
        mask = None if attn_mask is None else to_seen(attn_mask)
        if mask is not None and mask.ndim == 3:
            mask = mask.unflatten(0, (batch, -1))
        if key_padding_mask is None:
            return mask
        padding = to_seen(key_padding_mask)[:, None, None, :]
        if mask is None:
            return padding
        if padding.dtype != torch.bool:
            zeros = torch.zeros_like(mask, dtype=padding.dtype)
            return padding + (
                zeros.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask
            )
        return combine_masks(mask, padding)

    def _map(
        self, tokens: Tensor, context: Tensor, mask: Mask | None, is_causal: bool
    ) -> Float[Tensor, "batch heads queries keys"]:
        layer = self.attention
        if type(layer.function) is not SoftmaxAttention:
            raise ConfigError("Only softmax attention returns its map: pass need_weights=False.")
        query = split_heads(layer.q_proj(tokens), layer.config.heads)
        key = split_heads(layer.k_proj(context), layer.config.heads)
        _, weights = reference_attention(query, key, key, attn_mask=mask, is_causal=is_causal)
        return weights

    @torch.no_grad()
    def _load_projections(self, source: nn.MultiheadAttention) -> None:
        layer = self.attention
        projections = (layer.q_proj, layer.k_proj, layer.v_proj)
        weights, biases = projection_weights(source), projection_biases(source)
        for projection, weight, bias in zip(projections, weights, biases, strict=True):
            projection.weight.copy_(weight)
            if bias is not None:
                projection.bias.copy_(bias)
        layer.out_proj.load_state_dict(source.out_proj.state_dict())
