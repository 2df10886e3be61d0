"""Does the model still compute what it did? Measured on a small batch, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attention.passes import call_model, evaluation_mode

Probe = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class Parity:
    """How far a model's outputs moved on a probe batch.

    Attributes:
        max_difference: largest absolute difference over all outputs.
        output_scale: largest absolute output before.
        unreached: layers whose gate the probe never ran through.

    """

    max_difference: float
    output_scale: float
    unreached: tuple[str, ...] = ()

    @property
    def bit_identical(self) -> bool:
        """Whether no output changed at all."""
        return self.max_difference == 0.0

    def __str__(self) -> str:
        text = (
            "outputs are bit-identical"
            if self.bit_identical
            else f"outputs differ by at most {self.max_difference:.2e}"
        )
        text = f"{text} (largest output {self.output_scale:.3g})"
        if self.unreached:
            text += f"; the probe never reached the gates of {', '.join(self.unreached)}"
        return text


def default_probe(model: Any) -> Probe | None:
    """Make a small random batch for a model of transformers or of torch; None: no way known."""
    generator = torch.Generator().manual_seed(0)
    device = next(model.parameters()).device
    if isinstance(model, nn.TransformerEncoder | nn.TransformerEncoderLayer):
        return (_noise((2, 7, _model_width(model)), generator, model),)
    if isinstance(model, nn.TransformerDecoder | nn.TransformerDecoderLayer):
        noise = _noise((2, 7, _model_width(model)), generator, model)
        return (noise, noise)
    config = getattr(model, "config", None)
    if config is None or getattr(config, "is_encoder_decoder", False):
        return None
    match getattr(model, "main_input_name", None):
        case "input_ids":
            text = config.get_text_config()
            tokens = min(16, getattr(text, "max_position_embeddings", 16))
            ids = torch.randint(0, text.vocab_size, (2, tokens), generator=generator)
            return {"input_ids": ids.to(device), "attention_mask": torch.ones_like(ids).to(device)}
        case "pixel_values":
            size = config.image_size
            height, width = (size, size) if isinstance(size, int) else size
            return {
                "pixel_values": _noise((2, config.num_channels, height, width), generator, model)
            }
    return None


@torch.no_grad()
def run_probe(model: nn.Module, probe: Probe) -> list[Tensor]:
    """Run the model on a probe in evaluation mode and return its floating-point outputs."""
    with evaluation_mode(model):
        output = call_model(model, probe if isinstance(probe, Mapping) else tuple(probe))
    return [tensor.clone() for tensor in _tensors(output)]


def compare(before: list[Tensor], after: list[Tensor], unreached: tuple[str, ...] = ()) -> Parity:
    """Compare the outputs of two runs of one probe."""
    differences = [
        float((a.double() - b.double()).abs().max())
        for a, b in zip(after, before, strict=True)
        if a.numel()
    ]
    scales = [float(b.double().abs().max()) for b in before if b.numel()]
    return Parity(max(differences, default=0.0), max(scales, default=0.0), unreached)


def _noise(shape: tuple[int, ...], generator: torch.Generator, model: nn.Module) -> Tensor:
    return torch.randn(shape, generator=generator).to(next(model.parameters()))


def _model_width(model: nn.Module) -> int:
    layer: Any = model.layers[0] if hasattr(model, "layers") else model  # type: ignore[index]
    return layer.linear1.in_features


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        if output.dtype.is_floating_point:
            yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, tuple | list):
        for part in output:
            yield from _tensors(part)
