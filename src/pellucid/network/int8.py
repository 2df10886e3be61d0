"""An exported model that computes with 8 bits in parts: static, calibrated quantisation.

Weights get a scale a channel, activations one a tensor, from the range that calibration photos
show. The 1×1 convolutions are most of the arithmetic. The others stay in float: a depthwise
convolution's channels differ too much in range for one scale, the first sees the photo itself, and
the last ones of the heads make light so small that 256 levels would show. So do the encoder's first
five blocks: an eighth of these convolutions makes two thirds of the error (docs/lab-notes.md), and
the recovery from encoded values, which is a branch of the graph that photos do not take.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from pellucid.files import appearing_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feed = dict[str, "NDArray[Any]"]
"""Inputs of one run of an exported model, by name."""


Part = Literal["convolutions", "products"]
"""What can compute with 8 bits: 1×1 convolutions but the earliest, and matrix products, which
are the linear layers and the attention of AGAM and the language path."""

SMALLEST_PRODUCT = 1024
"""Numbers of the smallest matrix that is rounded for a matrix product: those of gates are smaller,
and published work leaves gates in full precision."""


def quantise(
    source: Path, target: Path, feeds: Sequence[Feed], parts: Sequence[Part] = ("convolutions",)
) -> None:
    """Write a model of which parts compute with 8 bits.

    Args:
        source: ONNX file that this project exported.
        target: ONNX file to write, whole or not at all.
        feeds: inputs whose activations tell the ranges; some dozens, of every kind that is used.
        parts: which. Matrix products save next to nothing; rounding them shows what 8 bits do to
            the attention.
    """
    model = _with_float_weights(onnx.load(source))
    chosen = [name for part in parts for name in _NODES[part](model)]
    with (
        tempfile.TemporaryDirectory() as folder,
        appearing_whole(target) as partial,
        np.errstate(invalid="ignore"),  # of a channel that is all zero the quantiser makes 0 / 0
    ):
        plain, quantised = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, plain)
        quantize_static(
            plain,
            quantised,
            _Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=chosen,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        result = onnx.load(quantised)
        del result.metadata_props[:]
        for entry in model.metadata_props:
            own = entry.key == "pellucid.weights_id"
            result.metadata_props.add(key=entry.key, value=entry.value + ("-int8" if own else ""))
        onnx.save(result, partial)


class _Feeds(CalibrationDataReader):
    """Hands onnxruntime one feed after the other."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return next(self._feeds, None)


def _with_float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Undo the storage in half precision: the quantiser looks for float initialisers."""
    halves = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        stored = halves.get(node.input[0]) if node.op_type == "Cast" else None
        if stored is None:
            nodes.append(node)
        else:
            values = numpy_helper.to_array(stored).astype(np.float32)
            stored.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


_EARLY = re.compile(r"network\.encoder\.blocks\.[0-4]\.")
"""Weights of the encoder's blocks at strides 2, 4 and 8."""


def _pointwise_convolutions(model: onnx.ModelProto) -> list[str]:
    sizes = {tensor.name: tuple(tensor.dims[2:]) for tensor in model.graph.initializer}
    nodes = (node for node in model.graph.node if node.op_type == "Conv")
    return [
        node.name
        for node in nodes
        if sizes.get(node.input[1]) == (1, 1) and not _EARLY.match(node.input[1])
    ]


def _matrix_products(model: onnx.ModelProto) -> list[str]:
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    nodes = (node for node in model.graph.node if node.op_type in ("MatMul", "Gemm"))
    return [
        node.name
        for node in nodes
        if min(sizes.get(name, SMALLEST_PRODUCT) for name in node.input[:2]) >= SMALLEST_PRODUCT
    ]


_NODES = {"convolutions": _pointwise_convolutions, "products": _matrix_products}
