"""A tiny ONNX model that obeys the contract of the shipped one, for tests.

transmission = share · linear(mixture), reflection = (1 - share) · linear(mixture); a gate is .5
where its description is given; each token's map is its own mask, over the number of real tokens.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL


def write_tiny_model(path: Path, share: float = 0.8, format: str = "1") -> Path:
    """Write the model and its manifest; return the model's path."""
    model = _model(share, format)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    write_manifest(path)
    return path


def write_manifest(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    files = {path.name: {"bytes": path.stat().st_size, "sha256": digest}}
    manifest = {"weights_id": "tiny", "licence": "CC0-1.0", "files": files}
    path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")


def _model(share: float, format: str) -> onnx.ModelProto:
    nodes = [*_linear_nodes(), *_layer_nodes()]
    for layer in ("transmission", "reflection"):
        nodes += _text_nodes(layer)
    nodes.append(
        helper.make_node("Concat", ["transmission_gate", "reflection_gate"], ["gates"], axis=1)
    )
    graph = helper.make_graph(nodes, "tiny", _inputs(), _outputs(), _constants(share))
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="pellucid"
    )
    notes = {"architecture": "tiny", "format": format, "weights_id": "tiny"}
    helper.set_model_props(model, {f"pellucid.{key}": value for key, value in notes.items()})
    return model


def _linear_nodes() -> list[onnx.NodeProto]:
    """The sRGB decoding of IEC 61966-2-1."""
    node = helper.make_node
    return [
        node("Div", ["mixture", "12.92"], ["low"]),
        node("Add", ["mixture", ".055"], ["shifted"]),
        node("Div", ["shifted", "1.055"], ["scaled"]),
        node("Pow", ["scaled", "2.4"], ["high"]),
        node("LessOrEqual", ["mixture", ".04045"], ["is_low"]),
        node("Where", ["is_low", "low", "high"], ["light"]),
    ]


def _layer_nodes() -> list[onnx.NodeProto]:
    node = helper.make_node
    return [
        node("Mul", ["light", "share"], ["transmission"]),
        node("Mul", ["light", "rest"], ["reflection"]),
        node("AveragePool", ["light"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        node("ReduceMean", ["pooled", "channel_axis"], ["cells"], keepdims=1),
        node("Mul", ["cells", "0"], ["no_cells"]),
    ]


def _text_nodes(layer: str) -> list[onnx.NodeProto]:
    node, name = helper.make_node, f"{layer}_{{}}".format
    return [
        node("Cast", [name("mask")], [name("real")], to=FLOAT),
        node("ReduceSum", [name("real"), "token_axis"], [name("count")], keepdims=1),
        node("Min", [name("count"), "1"], [name("given")]),
        node("Mul", [name("given"), ".5"], [name("gate")]),
        node("Max", [name("count"), "1"], [name("divisor")]),
        node("Div", [name("real"), name("divisor")], [name("weight")]),
        # The tokens take part, so that their shape is checked.
        node("ReduceSum", [name("tokens"), "width_axis"], [name("sums")], keepdims=0),
        node("Mul", [name("sums"), "0"], [name("zeros")]),
        node("Add", [name("weight"), name("zeros")], [name("weights")]),
        node("Unsqueeze", [name("weights"), "cell_axes"], [name("column")]),
        node("Add", [name("column"), "no_cells"], [name("map")]),
    ]


def _inputs() -> list[onnx.ValueInfoProto]:
    value = helper.make_tensor_value_info
    texts = [
        (
            value(f"{layer}_tokens", FLOAT, [1, f"{layer}_n", 256]),
            value(f"{layer}_mask", BOOL, [1, f"{layer}_n"]),
        )
        for layer in ("transmission", "reflection")
    ]
    return [value("mixture", FLOAT, [1, 3, "height", "width"]), *texts[0], *texts[1]]


def _outputs() -> list[onnx.ValueInfoProto]:
    value = helper.make_tensor_value_info
    layers = [value(layer, FLOAT, [1, 3, None, None]) for layer in ("transmission", "reflection")]
    maps = [
        value(f"{layer}_map", FLOAT, [1, None, None, None])
        for layer in ("transmission", "reflection")
    ]
    return [*layers, value("gates", FLOAT, [1, 2]), *maps]


def _constants(share: float) -> list[onnx.TensorProto]:
    numbers = {
        text: float(text) for text in ("12.92", ".055", "1.055", "2.4", ".04045", "0", "1", ".5")
    }
    axes = {"channel_axis": [1], "token_axis": [1], "width_axis": [2], "cell_axes": [2, 3]}
    scalars = {**numbers, "share": share, "rest": 1 - share}
    return [
        *(numpy_helper.from_array(np.float32(value), name) for name, value in scalars.items()),
        *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in axes.items()),
    ]
