"""Every public operation of the library, with the same six cases each.

Smoke, shapes, numbers (against formulas written out here or in torch), gradients, one graph when
compiled, and the error for inputs that do not fit. A new public name must get its row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid.attention as library
from pellucid.attention import (
    Attention,
    AttentionConfig,
    ClippedSoftmax,
    Gate,
    KVBias,
    KVCache,
    LearnedSink,
    MultiheadAttention,
    RegisterTokens,
    ReLUAttention,
    SigmoidAttention,
    SoftmaxAttention,
    SoftmaxOffByOne,
    StaticKVCache,
    gate_preset,
    merge_heads,
    reference_attention,
    softmax_attention,
    split_heads,
    value_gated_attention,
)
from pellucid.errors import ConfigError

from .helpers import heads, qkv

F64 = torch.float64


@dataclass(frozen=True)
class Operation:
    """One public operation on small float64 inputs.

    Attributes:
        call: the operation.
        inputs: what it takes.
        expected: the same numbers by formulas of torch alone.
        wrong: a call that must fail, with what it raises; None: any tensors of the shapes that
            the signature states do, and there is nothing else to refuse.
        no_gradient: no gradient flows through what it has stored, on purpose.
    """

    call: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    expected: Callable[..., Tensor]
    wrong: tuple[Callable[[], object], type[Exception]] | None = None
    no_gradient: bool = False


def scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5


def softmax_with(query: Tensor, key: Tensor, value: Tensor, *extra: Tensor) -> Tensor:
    """Softmax over the keys and further scores, which have no value."""
    weights = torch.cat((*extra, scores(query, key)), dim=-1).softmax(dim=-1)
    return weights[..., len(extra) :] @ value


def clipped(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return (1.2 * scores(query, key).softmax(-1) - 0.1).clamp(0, 1) @ value


def with_bias(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    extra_key = KV_BIAS.key.expand(2, -1, -1, -1)
    extra_value = KV_BIAS.value.expand(2, -1, -1, -1)
    joined = torch.cat((extra_key, key), -2), torch.cat((extra_value, value), -2)
    return F.scaled_dot_product_attention(query, *joined)


def key_gated(query: Tensor, key: Tensor, value: Tensor, gate: Tensor) -> Tensor:
    return scores(query, key).softmax(-1) @ (gate.unsqueeze(-1) * value)


def gated_layer(tokens: Tensor) -> Tensor:
    """Self-attention with the gate of App. B, from the layer's own weights."""
    parts = [
        projection(tokens).unflatten(-1, (4, 2)).transpose(1, 2)
        for projection in (LAYER.q_proj, LAYER.k_proj, LAYER.v_proj)
    ]
    mixed = F.scaled_dot_product_attention(*parts)
    assert LAYER.gate is not None
    gate = torch.sigmoid(LAYER.v_proj(tokens) @ LAYER.gate.weight.T).transpose(1, 2)
    return LAYER.out_proj((gate.unsqueeze(-1) * mixed).transpose(1, 2).flatten(2))


def cached(cache: Callable[[], KVCache | StaticKVCache], tokens: Tensor) -> Tensor:
    """Two tokens, then the rest, one after the other."""
    held = cache()
    steps = [tokens[:, :2], *tokens[:, 2:].split(1, dim=1)]
    return torch.cat([LAYER(step, is_causal=True, cache=held) for step in steps], dim=1)


def whole(tokens: Tensor) -> Tensor:
    return LAYER(tokens, is_causal=True)


def build(module: nn.Module) -> nn.Module:
    """Double precision, and weights that are not at their neutral start."""
    module.double().eval()
    for number, parameter in enumerate(module.parameters()):
        parameter.data.copy_(heads(*parameter.shape, seed=50 + number, dtype=F64) / 2)
        parameter.requires_grad_(False)
    return module


LAYER = build(Attention(AttentionConfig(8, 4, gate="vga-query")))
assert isinstance(LAYER, Attention)
GATE = build(Gate(gate_preset("vga-key"), heads=4, head_dim=2))
TORCH_LAYER = build(nn.MultiheadAttention(8, 4, batch_first=True))
assert isinstance(TORCH_LAYER, nn.MultiheadAttention)
OUR_LAYER = MultiheadAttention.from_torch(TORCH_LAYER, gate=None)
SINK = build(LearnedSink(4))
KV_BIAS = build(KVBias(4, 8))
assert isinstance(KV_BIAS, KVBias)
REGISTERS = build(RegisterTokens(2, 8))
assert isinstance(REGISTERS, RegisterTokens)

QKV = qkv(dtype=F64)
GATES = heads(2, 4, 5, dtype=F64)
TOKENS = heads(2, 5, 8, dtype=F64)
MISFITS = (QKV[0], QKV[1][..., :3], QKV[2])
"""Keys of another width than the queries."""


def fails_on_misfits(function: Callable[..., object]) -> tuple[Callable[[], object], type]:
    return lambda: function(*MISFITS), RuntimeError


OPERATIONS = {
    "value_gated_attention": Operation(
        value_gated_attention,
        (*QKV, GATES),
        key_gated,
        (lambda: value_gated_attention(*QKV, GATES[:, :3]), ConfigError),
    ),
    "softmax_attention": Operation(
        softmax_attention,
        QKV,
        F.scaled_dot_product_attention,
        fails_on_misfits(softmax_attention),
    ),
    "reference_attention": Operation(
        lambda *inputs: reference_attention(*inputs)[0],
        (*QKV, GATES),
        key_gated,
        fails_on_misfits(reference_attention),
    ),
    "SoftmaxAttention": Operation(
        SoftmaxAttention(),
        QKV,
        F.scaled_dot_product_attention,
        fails_on_misfits(SoftmaxAttention()),
    ),
    "SoftmaxOffByOne": Operation(
        SoftmaxOffByOne(),
        QKV,
        lambda *qkv: softmax_with(*qkv, torch.zeros(2, 4, 5, 1, dtype=F64)),
        fails_on_misfits(SoftmaxOffByOne()),
    ),
    "LearnedSink": Operation(
        SINK,
        QKV,
        lambda *qkv: softmax_with(*qkv, SINK.logit[:, None, None].expand(2, 4, 5, 1)),
        (lambda: SINK(*qkv(heads_=3, kv_heads=3, dtype=F64)), RuntimeError),
    ),
    "ClippedSoftmax": Operation(
        ClippedSoftmax(-0.1, 1.1),
        QKV,
        clipped,
        (lambda: ClippedSoftmax(gamma=0.1), ConfigError),
    ),
    "SigmoidAttention": Operation(
        SigmoidAttention(5),
        QKV,
        lambda q, k, v: torch.sigmoid(scores(q, k) - torch.log(torch.tensor(5.0, dtype=F64))) @ v,
        (lambda: SigmoidAttention(0), ConfigError),
    ),
    "ReLUAttention": Operation(
        ReLUAttention(),
        QKV,
        lambda q, k, v: scores(q, k).relu() / 5 @ v,
        fails_on_misfits(ReLUAttention()),
    ),
    "KVBias": Operation(
        KV_BIAS, QKV, with_bias, (lambda: KV_BIAS(*qkv(dim=4, dtype=F64)), RuntimeError)
    ),
    "RegisterTokens": Operation(
        lambda tokens: REGISTERS.strip(2 * REGISTERS.prepend(tokens)),
        (TOKENS,),
        lambda tokens: 2 * tokens,
        (lambda: REGISTERS.prepend(TOKENS[..., :3]), RuntimeError),
    ),
    "Gate": Operation(
        GATE,
        (TOKENS,),
        lambda tokens: torch.einsum(
            "bthd,hd->bht", tokens.unflatten(-1, (4, 2)), GATE.weight[:, 0]
        ).sigmoid(),
        (lambda: GATE(TOKENS[..., :3]), ConfigError),
    ),
    "Attention": Operation(
        LAYER, (TOKENS,), gated_layer, (lambda: LAYER(TOKENS, TOKENS[:, :3]), ConfigError)
    ),
    "MultiheadAttention": Operation(
        lambda tokens: OUR_LAYER(tokens, tokens, tokens)[0],
        (TOKENS,),
        lambda tokens: TORCH_LAYER(tokens, tokens, tokens)[0],
        (lambda: MultiheadAttention(8, 3), ConfigError),
    ),
    "KVCache": Operation(
        lambda tokens: cached(KVCache, tokens),
        (TOKENS,),
        whole,
        (lambda: LAYER(TOKENS, TOKENS.clone(), cache=KVCache()), ConfigError),
    ),
    "StaticKVCache": Operation(
        lambda tokens: cached(lambda: StaticKVCache(2, 4, 6, 2, dtype=F64), tokens),
        (TOKENS,),
        whole,
        (lambda: cached(lambda: StaticKVCache(2, 4, 3, 2, dtype=F64), TOKENS), ConfigError),
        no_gradient=True,
    ),
    "split_heads": Operation(
        lambda tokens: split_heads(tokens, 4),
        (TOKENS,),
        lambda tokens: torch.stack(tokens.split(2, dim=-1), dim=1),
        (lambda: split_heads(TOKENS, 3), RuntimeError),
    ),
    "merge_heads": Operation(
        merge_heads,
        (QKV[2],),
        lambda value: torch.cat([value[:, head] for head in range(4)], dim=-1),
    ),
}
NO_OPERATIONS = {
    *("PRESETS", "gate_preset"),  # tests/attention/test_gate.py
    *("GateSpec", "AttentionConfig"),  # what is built; test_gate.py, test_module.py
    *("AttentionFunction", "Cache"),  # interfaces
}

each = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def test_every_public_operation_has_its_row():
    assert {*OPERATIONS, *NO_OPERATIONS} == set(library.__all__)


@each
def test_shapes_and_numbers(operation):
    actual = operation.call(*operation.inputs)
    expected = operation.expected(*operation.inputs)
    assert actual.shape == expected.shape
    assert actual.dtype == F64
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@each
def test_gradients(operation):
    inputs = tuple(tensor.clone().requires_grad_() for tensor in operation.inputs)
    if operation.no_gradient:
        with pytest.raises(RuntimeError, match="inplace"):  # loud, and not a wrong gradient
            operation.call(*inputs).sum().backward()
        return
    assert torch.autograd.gradcheck(operation.call, inputs, atol=1e-5, fast_mode=True)


@each
def test_one_graph_when_compiled(operation):
    torch.compiler.reset()
    try:
        traced = torch.compile(operation.call, fullgraph=True, backend="eager")
        expected = operation.call(*operation.inputs)
        torch.testing.assert_close(traced(*operation.inputs), expected, rtol=1e-10, atol=1e-12)
    finally:
        torch.compiler.reset()


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS.values() if operation.wrong],
    ids=[name for name, operation in OPERATIONS.items() if operation.wrong],
)
def test_what_does_not_fit_is_refused(operation):
    call, error = operation.wrong
    with pytest.raises(error):
        call()
