from __future__ import annotations

import os
import subprocess
import sys

import pellucid.attention

PUBLIC = {
    *("PRESETS", "Gate", "GateSpec", "gate_preset"),
    *("reference_attention", "softmax_attention", "value_gated_attention"),
    *("merge_heads", "split_heads"),
    *("Attention", "AttentionConfig", "AttentionFunction", "MultiheadAttention"),
    *("Cache", "KVCache", "StaticKVCache"),
    *("ClippedSoftmax", "KVBias", "LearnedSink", "ReLUAttention", "RegisterTokens"),
    *("SigmoidAttention", "SoftmaxAttention", "SoftmaxOffByOne"),
}


def test_public_names_are_frozen():
    assert set(pellucid.attention.__all__) == PUBLIC
    assert all(hasattr(pellucid.attention, name) for name in PUBLIC)


def test_stands_alone():
    code = (
        "import sys, pellucid.attention\n"
        "mine = {m for m in sys.modules if m.startswith('pellucid.')}\n"
        "ok = ('pellucid.attention', 'pellucid.errors')\n"
        "print([m for m in mine if not m.startswith(ok)])\n"
        "print('transformers' in sys.modules, 'onnx' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stdout.split("\n")[:2] == ["[]", "False False"]
