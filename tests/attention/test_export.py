from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim

from pellucid.attention import (
    Attention,
    AttentionConfig,
    KVCache,
    LearnedSink,
    SoftmaxOffByOne,
)
from pellucid.attention.export import DecodingStep, export_onnx
from pellucid.errors import ConfigError

from ..faults import fault
from .helpers import assert_within, heads, slow_but

pytestmark = [
    pytest.mark.filterwarnings("ignore:# The axis name:UserWarning"),
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec:FutureWarning"),
]


def layer(name, function=None, **fields) -> Attention:
    torch.manual_seed(0)
    module = Attention(AttentionConfig(32, 4, gate=name, **fields), function)
    if module.gate is not None:
        nn.init.normal_(module.gate.weight)
    return module.eval()


class Masked(nn.Module):
    """A layer with a padding mask as an input."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, tokens, mask):
        return self.attention(tokens, attn_mask=mask[:, None, None, :])


@pytest.mark.parametrize("name", [None, "vga-key", "vga-query", "g2"])
@fault("attention", "torch.export against eager", "equal within the tolerance of the type")
def test_torch_export(name):
    module = layer(name, kv_heads=2, rope_base=100.0)
    batch, length = Dim("batch", min=2), Dim("length", min=2)
    program = torch.export.export(
        module,
        (heads(2, 6, 32),),
        {"is_causal": True},
        dynamic_shapes={"tokens": {0: batch, 1: length}, "is_causal": None},
    )
    for shape in [(2, 6, 32), (3, 9, 32)]:
        x = heads(*shape)
        assert_within(program.module()(x, is_causal=True), module(x, is_causal=True))


def session(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run(path, **inputs):
    arrays = {name: tensor.detach().numpy() for name, tensor in inputs.items()}
    return [torch.from_numpy(np.asarray(a)) for a in session(path).run(None, arrays)]


@pytest.fixture(autouse=True)
def _needs_onnx():
    pytest.importorskip("onnxscript")


@pytest.mark.parametrize("name", slow_but(["vga-key", "vga-query"], {"vga-query"}))
@fault("attention", "ONNX against eager, with a mask", "equal within the tolerance of the type")
def test_onnx_layer_with_a_padding_mask(name, tmp_path):
    module = Masked(layer(name, kv_heads=2)).eval()
    path = tmp_path / "layer.onnx"
    mask = torch.ones(2, 6, dtype=torch.bool)
    shapes = ({0: Dim("batch"), 1: Dim("length")}, {0: Dim("batch"), 1: Dim("length")})
    export_onnx(
        module,
        (heads(2, 6, 32), mask),
        path,
        input_names=["tokens", "mask"],
        output_names=["output"],
        dynamic_shapes=shapes,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["layer.onnx"]
    x = heads(3, 9, 32)
    mask = heads(3, 9, seed=2) > 0
    mask[2] = False
    (actual,) = run(path, tokens=x, mask=mask)
    assert actual.isfinite().all()
    assert_within(actual, module(x, mask), factor=3)


@pytest.mark.parametrize("name", slow_but(["softmax", "off-by-one", "sink"], {"softmax"}))
def test_onnx_decoding_step_with_the_gate_folded_into_the_cache(name, tmp_path):
    function = {"off-by-one": SoftmaxOffByOne(), "sink": LearnedSink(4, std=1.0)}.get(name)
    module = layer("vga-key", function, kv_heads=2, rope_base=100.0)
    path = tmp_path / "step.onnx"
    shapes = (
        {0: Dim("batch")},
        {0: Dim("batch"), 2: Dim("past")},
        {0: Dim("batch"), 2: Dim("past")},
    )
    export_onnx(
        DecodingStep(module),
        (heads(2, 1, 32), heads(2, 2, 3, 8), heads(2, 2, 3, 8)),
        path,
        input_names=["tokens", "past_key", "past_value"],
        output_names=["output", "key", "value"],
        dynamic_shapes=shapes,
    )
    x = heads(2, 7, 32)
    cache = KVCache()
    with torch.no_grad():
        whole = module(x, is_causal=True)
        module(x[:, :2], is_causal=True, cache=cache)
    key, value = cache.key, cache.value
    for step in range(2, 7):
        output, key, value = run(path, tokens=x[:, step : step + 1], past_key=key, past_value=value)
        assert_within(output, whole[:, step : step + 1], factor=3)
    assert key.shape == (2, 2, 7, 8)


def test_a_failed_export_leaves_nothing_behind(tmp_path):
    class Broken(nn.Module):
        def forward(self, tokens):
            raise ValueError("broken")

    options = {"input_names": ["tokens"], "output_names": ["output"]}
    with pytest.raises(Exception):  # noqa: B017, torch wraps it in its own
        export_onnx(Broken().eval(), (heads(2, 2),), tmp_path / "x.onnx", **options)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="eval"):
        export_onnx(Broken(), (heads(2, 2),), tmp_path / "x.onnx", **options)
