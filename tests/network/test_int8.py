"""Which weights the 8-bit model holds, that it stays near, and what it says of itself."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pellucid.network.int8 import quantise

KERNELS = {
    "stem": (8, 3, 3, 3),
    "network.encoder.blocks.4.project": (8, 8, 1, 1),
    "network.encoder.blocks.5.expand": (16, 8, 1, 1),
    "last": (3, 16, 3, 3),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two 1×1 convolutions between 3×3 ones, stored in half precision as exported models are."""
    rng = np.random.default_rng(0)
    nodes, weights, ahead = [], [], "mixture"
    for name, shape in KERNELS.items():
        kernel = rng.normal(0, shape[1] ** -0.5 / shape[2], shape).astype(np.float16)
        weights.append(numpy_helper.from_array(kernel, f"{name}.half"))
        nodes += [
            helper.make_node("Cast", [f"{name}.half"], [f"{name}.weight"], to=TensorProto.FLOAT),
            helper.make_node("Conv", [ahead, f"{name}.weight"], [name], name=name),
        ]
        ahead = name
    shapes = {"mixture": [1, 3, "height", "width"], "last": [1, 3, None, None]}
    ends = [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items()]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"pellucid.weights_id": "abc", "pellucid.format": "1"})
    folder = tmp_path_factory.mktemp("models")
    onnx.save(model, folder / "plain.onnx")
    feeds = [{"mixture": rng.random((1, 3, 20, 30), np.float32)} for _ in range(4)]
    quantise(folder / "plain.onnx", folder / "int8.onnx", feeds)
    return folder


def test_outputs_stay_near_and_are_not_the_same(models):
    feed = {"mixture": np.random.default_rng(9).random((1, 3, 32, 24), np.float32)}
    plain, int8 = (
        onnxruntime.InferenceSession(models / f"{name}.onnx").run(None, feed)[0]
        for name in ("plain", "int8")
    )
    error = np.abs(int8 - plain)
    assert 0 < error.max() < 0.05 * np.abs(plain).max()


def test_late_pointwise_convolutions_alone_have_8_bit_weights(models):
    graph = onnx.load(models / "int8.onnx").graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    kinds = {}
    for node in graph.node:
        if node.op_type == "Conv":
            maker = makers.get(node.input[1])
            kinds[node.name] = stored[maker.input[0] if maker else node.input[1]]
    assert kinds.pop("network.encoder.blocks.5.expand") == TensorProto.INT8
    assert set(kinds.values()) == {TensorProto.FLOAT}


def test_metadata_is_kept_and_the_identity_tells(models):
    props = onnx.load(models / "int8.onnx").metadata_props
    kept = {entry.key: entry.value for entry in props}
    assert kept == {"pellucid.weights_id": "abc-int8", "pellucid.format": "1"}


def test_matrix_products_are_rounded_but_those_of_gates(tmp_path):
    rng = np.random.default_rng(1)
    shapes = {"linear": (40, 40), "gate": (40, 4)}
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), f"{name}.weight")
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["words", "linear.weight"], ["linear"], name="linear"),
        helper.make_node("MatMul", ["linear", "gate.weight"], ["gate"], name="gate"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, width])
        for name, width in (("words", 40), ("gate", 4))
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "plain.onnx")
    feeds = [{"words": rng.normal(size=(1, 7, 40)).astype(np.float32)} for _ in range(4)]
    quantise(tmp_path / "plain.onnx", tmp_path / "int8.onnx", feeds, ["products"])
    graph = onnx.load(tmp_path / "int8.onnx").graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert stored["gate.weight"] == TensorProto.FLOAT
    assert TensorProto.INT8 in {kind for name, kind in stored.items() if "linear.weight" in name}
