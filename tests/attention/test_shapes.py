"""The shapes that signatures promise, checked by jaxtyping and beartype in a process of its own.

Not in this one: the checks would be compiled, exported and timed with everything else.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCENARIO = """
from jaxtyping import install_import_hook
with install_import_hook("pellucid.attention", "beartype.beartype"):
    import pellucid.attention as pa
    from pellucid.attention import gradients, huggingface
import torch

x = torch.randn(2, 5, 16)
mask = torch.ones(5, 5, dtype=torch.bool).tril()
functions = [
    pa.SoftmaxOffByOne(), pa.LearnedSink(4), pa.KVBias(2, 4), pa.RegisterTokens(3, 16),
    pa.ClippedSoftmax(), pa.SigmoidAttention(5), pa.ReLUAttention(),
]
layers = [(name, None) for name in pa.PRESETS] + [("vga-key", f) for f in functions]
for name, function in layers:
    config = pa.AttentionConfig(16, 4, kv_heads=2, gate=name, rope_base=10.0)
    layer = pa.Attention(config, function)
    layer(x, attn_mask=mask).sum().backward()
    layer(x, attn_mask=mask[None, None].float(), is_causal=True)
    with torch.no_grad():
        for cache in (pa.KVCache(), pa.StaticKVCache(2, 2, 7, 4)):
            layer(x, is_causal=True, cache=cache)
            layer(x[:, :1], is_causal=True, cache=cache)
for gate in ("vga-mixed", "vga-key"):
    layer = pa.Attention(pa.AttentionConfig(16, 4, context_dim=6, gate=gate))
    padding = torch.ones(2, 1, 1, 9, dtype=torch.bool)
    layer(x, torch.randn(2, 9, 6), attn_mask=padding)
heads = torch.randn(1, 4, 5, 4)
pa.value_gated_attention(heads, heads[:, :1], heads[:, :1], torch.ones(2, 1, 5))
pa.reference_attention(heads, heads[:, :2], heads[:, :2], torch.ones(1, 2, 5))
both = pa.MultiheadAttention(16, 4)
both(x, x, x, key_padding_mask=torch.zeros(5, 2, dtype=torch.bool))
weights = torch.softmax(torch.randn(5, 5), -1)
gradients.attention_gradients(weights, x[0], x[1], torch.rand(5), torch.randn(16))
try:
    pa.value_gated_attention(heads, heads[..., :3], heads, torch.ones(1, 4, 5))
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.slow
def test_signatures_hold_and_are_checked():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCENARIO],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.strip() == "TypeCheckError"
