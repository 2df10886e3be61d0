"""Tiny, randomly initialised models of many families."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# transformers has learned sinks and capped scores in its eager attention only.
EAGER_ONLY = {"gpt-oss", "gemma2"}
FAMILIES = ["bert", "gpt2", "opt", "llama", "qwen3", "mistral", "gpt-oss", "gemma2", "vit"]
_SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
_GROUPED = _SIZES | {"intermediate_size": 24, "num_key_value_heads": 2, "head_dim": 4}


def transformers_model(family: str, implementation: str) -> tuple[Any, dict[str, Tensor]]:
    """A model and a batch; texts are padded on the right, one by three tokens."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = _config(transformers, family)
    config._attn_implementation = implementation
    model = transformers.AutoModel.from_config(config).eval()
    # Initial weights are so small that attention would be all but uniform.
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "embed" not in name and "wte" not in name:
            parameter.data *= 15
    if family == "vit":
        return model, {"pixel_values": torch.randn(2, 3, 8, 8)}
    ids = torch.randint(3, 50, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return model, {"input_ids": ids, "attention_mask": mask}


def _config(transformers: Any, family: str) -> Any:
    match family:
        case "bert":
            return transformers.BertConfig(**_SIZES, intermediate_size=24)
        case "gpt2":
            return transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=4)
        case "opt":
            return transformers.OPTConfig(**_SIZES, ffn_dim=24, word_embed_proj_dim=16)
        case "llama":
            return transformers.LlamaConfig(**_GROUPED)
        case "qwen3":
            return transformers.Qwen3Config(**_GROUPED)
        case "mistral":
            return transformers.MistralConfig(**_GROUPED, sliding_window=4)
        case "gpt-oss":
            return transformers.GptOssConfig(
                **_GROUPED, num_local_experts=2, num_experts_per_tok=1, sliding_window=4
            )
        case "gemma2":
            return transformers.Gemma2Config(
                **_GROUPED, sliding_window=4, attn_logit_softcapping=0.5
            )
        case _:
            sizes = {name: size for name, size in _SIZES.items() if name != "vocab_size"}
            return transformers.ViTConfig(**sizes, intermediate_size=24, image_size=8, patch_size=2)


class TimmAttention(nn.Module):
    """A layer of the shape of timm's, fused or not."""

    def __init__(self, dim: int = 16, heads: int = 4, fused: bool = True) -> None:
        super().__init__()
        self.num_heads = heads
        self.scale = (dim // heads) ** -0.5
        self.fused = fused
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm, self.k_norm = nn.LayerNorm(dim // heads), nn.LayerNorm(dim // heads)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v)
        else:
            x = (q * self.scale @ k.mT).softmax(dim=-1) @ v
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, -1))


class TimmBlock(nn.Module):
    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(16)
        self.attn = TimmAttention(fused=fused)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(self.norm1(x))


def timm_vit(fused: bool) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(TimmBlock(fused) for _ in range(2))).eval()
