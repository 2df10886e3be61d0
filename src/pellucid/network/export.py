"""From trained weights to the files that are shipped: an ONNX graph, weights, a manifest.

Weights are rounded to half precision once; the torch network and the ONNX graph both start from the
rounded values, so they compute the same function to float rounding. In the ONNX file they lie as
float16 with a cast, which halves the file; arithmetic stays float32.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from jaxtyping import Bool, Float
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from pellucid.files import appearing_whole
from pellucid.model import FORMAT, INPUTS, OUTPUTS
from pellucid.network.description import Description
from pellucid.network.separation import NetworkConfig, SeparationNetwork
from pellucid.network.weights import fit_weights, load_weights

LICENCE = "Apache-2.0; training photos partly for research only, see the model card"
HALVED_FROM = 256
"""Tensors with fewer numbers than this stay float32 in the file."""


class ExportedSeparation(nn.Module):
    """The network with plain tensors in and out, as the ONNX graph has them."""

    def __init__(self, network: SeparationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        mixture: Float[Tensor, "1 3 H W"],
        transmission_tokens: Float[Tensor, "1 N D"],
        transmission_mask: Bool[Tensor, "1 N"],
        reflection_tokens: Float[Tensor, "1 M D"],
        reflection_mask: Bool[Tensor, "1 M"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return layers in linear light clipped to [0, 1], gates (1, 2) and both word maps."""
        output = self.network(
            mixture,
            Description(transmission_tokens, transmission_mask),
            Description(reflection_tokens, reflection_mask),
        )
        gates = torch.stack([output.transmission.gate, output.reflection.gate], dim=1)
        return (
            output.layers.transmission.clamp(0.0, 1.0),
            output.layers.reflection.clamp(0.0, 1.0),
            gates,
            output.transmission_map,
            output.reflection_map,
        )


def round_to_half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with every large tensor rounded to float16 and back."""
    return {
        name: value.half().float() if value.numel() >= HALVED_FROM else value
        for name, value in weights.items()
    }


def save_shipped_weights(weights: dict[str, Tensor], path: Path) -> None:
    """Write weights as they are shipped: large tensors as float16, written whole or not at all."""
    stored = {
        name: (value.half() if value.numel() >= HALVED_FROM else value).contiguous()
        for name, value in weights.items()
    }
    with appearing_whole(path) as partial:
        save_file(stored, partial)
        partial.chmod(0o644)  # safetensors creates files that only their owner may read


def load_shipped_network(path: Path, config: NetworkConfig) -> SeparationNetwork:
    """Build the torch network with shipped weights, ready to use or to train on.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit the network.
    """
    network = SeparationNetwork(config)
    weights = {name: value.float() for name, value in load_weights(path).items()}
    fit_weights(network, weights, path)
    return network.eval()


def export_onnx(network: SeparationNetwork, path: Path, properties: dict[str, str]) -> None:
    """Write the network as an ONNX file with half-precision storage.

    Args:
        network: With weights already rounded by `round_to_half`.
        path: Of the file; written whole or not at all.
        properties: Metadata of the file, beside the format's version.
    """
    example = _example(network.config.token_channels)
    dynamic = {"height": torch.export.Dim.DYNAMIC, "words": torch.export.Dim.DYNAMIC}
    image = {2: dynamic["height"], 3: dynamic["height"]}
    words = {1: dynamic["words"]}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        ExportedSeparation(network).eval(),
        example,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=(image, words, words, words, words),
        dynamo=True,
        opset_version=18,
        verbose=False,
    )
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        program.save(Path(folder) / "graph.onnx")
        graph = onnx.load(Path(folder) / "graph.onnx")
    _forget_traces(graph.graph)
    _halve_storage(graph)
    for key, value in (properties | {"format": FORMAT}).items():
        graph.metadata_props.add(key=f"pellucid.{key}", value=value)
    with appearing_whole(path) as partial:
        onnx.save(graph, partial)


def ship(weights: dict[str, Tensor], config: NetworkConfig, folder: Path, name: str) -> None:
    """Write `name`.safetensors, `name`.onnx and `name`.json (sizes and hashes) into a folder.

    Raises:
        WeightsError: the weights are of another network, or not finite when rounded.
    """
    rounded = round_to_half(weights)
    network = SeparationNetwork(config)
    fit_weights(network, rounded, f"the weights for {name}")
    save_shipped_weights(rounded, folder / f"{name}.safetensors")
    identity = _sha256(folder / f"{name}.safetensors")[:12]
    export_onnx(network, folder / f"{name}.onnx", {"architecture": name, "weights_id": identity})
    manifest: dict[str, Any] = {
        "weights_id": identity,
        "licence": LICENCE,
        "network": asdict(config),
        "files": {},
    }
    for ending in ("safetensors", "onnx"):
        file = folder / f"{name}.{ending}"
        manifest["files"][file.name] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
    with appearing_whole(folder / f"{name}.json") as partial:
        partial.write_text(json.dumps(manifest, indent=2) + "\n")


def _example(token_channels: int) -> tuple[Tensor, ...]:
    mask = torch.tensor([[True, True, False]])
    tokens = torch.randn(1, 3, token_channels)
    more = torch.tensor([[True, True, True, True, False]])
    return (
        torch.rand(1, 3, 96, 160),
        tokens,
        mask,
        torch.randn(1, 5, token_channels),
        more,
    )


def _forget_traces(graph: onnx.GraphProto) -> None:
    """Drop the exporter's stack traces, which hold the paths of the machine that exported."""
    parts = [graph, *graph.node, *graph.value_info]
    parts += [*graph.input, *graph.output, *graph.initializer]
    for part in parts:
        del part.metadata_props[:]
        part.doc_string = ""
    for branch in (choice.g for node in graph.node for choice in node.attribute):
        if branch.node:
            _forget_traces(branch)


def _halve_storage(model: onnx.ModelProto) -> None:
    """Store large float32 initialisers as float16, each followed by a cast."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < HALVED_FROM:
            continue
        name = tensor.name
        if not np.array_equal(values.astype(np.float16).astype(np.float32), values):
            continue  # a constant that the exporter computed: keep it exact
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
