"""Exporting attention layers: decoding as a function of tensors, and ONNX files.

A key-side gate needs nothing special in an inference engine. The gated value is what gets cached,
so the engine sees plain softmax attention over a cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pellucid.attention.cache import KVCache
from pellucid.attention.module import Attention
from pellucid.errors import ConfigError
from pellucid.files import appearing_whole


class DecodingStep(nn.Module):
    """One step of causal self-attention with its cache as tensors in and tensors out.

    Args:
        attention: the layer; with a key-side gate the cached values are the gated ones.

    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention
        self.train(attention.training)

    def forward(
        self,
        tokens: Float[Tensor, "batch tokens dim"],
        past_key: Float[Tensor, "batch kv_heads past head_dim"],
        past_value: Float[Tensor, "batch kv_heads past head_dim"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output for the new tokens, and the keys and values to pass in next time."""
        cache = KVCache()
        cache.append(past_key, past_value)
        output = self.attention(tokens, is_causal=True, cache=cache)
        assert cache.key is not None and cache.value is not None
        return output, cache.key, cache.value


def export_onnx(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    target: Path,
    *,
    input_names: list[str],
    output_names: list[str],
    dynamic_shapes: tuple[Any, ...] | None = None,
) -> None:
    """Write a layer or a `DecodingStep` as one ONNX file.

    Args:
        module: in evaluation mode.
        inputs: example tensors. Axes that are to be dynamic must be longer than 1 in them.
        target: the file; it appears only once it is complete.
        input_names: one name per input.
        output_names: one name per output.
        dynamic_shapes: as `torch.export.export` takes them; None: the shapes of `inputs`.

    Raises:
        ConfigError: the module is in training mode, or the packages onnx and onnxscript, which
            torch's exporter needs, are missing.

    """
    if module.training:
        raise ConfigError("Export an attention layer in evaluation mode: call eval() on it first.")
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                module,
                inputs,
                input_names=input_names,
                output_names=output_names,
                dynamic_shapes=dynamic_shapes,
                dynamo=True,
                verbose=False,
            )
    except ImportError as error:
        raise ConfigError("ONNX export needs two more packages: onnx and onnxscript.") from error
    assert program is not None  # torch returns None only when it writes the file itself
    with appearing_whole(target) as part:
        program.save(part, external_data=False)
