from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pellucid.attention import (
    functional,
    reference_attention,
    softmax_attention,
    value_gated_attention,
)
from pellucid.attention.reference import TOLERANCES
from pellucid.errors import ConfigError

from ..faults import fault
from .helpers import OTHER_DEVICES, assert_within, heads, qkv

PLACEMENTS = ["key", "query"]


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("is_causal", [False, True])
@fault(
    "attention", "gate forced to 1, function", "equals scaled_dot_product_attention, bit for bit"
)
def test_gate_of_one_is_torchs_attention_bit_for_bit(placement, dtype, is_causal):
    query, key, value = qkv(dtype=dtype)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    gate = torch.ones(2, 4, 5, dtype=dtype)
    actual = value_gated_attention(
        query, key, value, gate, placement=placement, is_causal=is_causal
    )
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("dtype", list(TOLERANCES))
@pytest.mark.parametrize("mask", ["none", "causal", "bool", "additive"])
@pytest.mark.parametrize("element", [False, True])
@fault("attention", "fused against plain formulas", "equal within the tolerance of the type")
def test_is_the_reference_within_the_table(placement, dtype, mask, element):
    check_against_reference("cpu", placement, dtype, mask, element)


@pytest.mark.parametrize("device", OTHER_DEVICES)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_is_the_reference_on_other_devices(device, placement):
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for mask in ("none", "causal", "bool", "additive"):
            check_against_reference(device, placement, dtype, mask, element=False)


def check_against_reference(device, placement, dtype, mask, element):
    query, key, value = qkv(kv_heads=2, queries=70, keys=70, dim=32, dtype=dtype)
    owners = 2 if placement == "key" else 4
    gate = torch.sigmoid(heads(2, owners, 70, *([32] if element else []), dtype=dtype))
    attn_mask = None
    if mask == "bool":
        attn_mask = heads(2, 1, 70, 70, seed=9) > 0
    elif mask == "additive":
        attn_mask = heads(2, 4, 70, 70, seed=9, dtype=dtype)
    options = {"placement": placement, "is_causal": mask == "causal"}
    exact = attn_mask if mask != "additive" else attn_mask.double()
    expected, _ = reference_attention(
        query.double(), key.double(), value.double(), gate.double(), attn_mask=exact, **options
    )
    moved = [t.to(device) for t in (query, key, value, gate)]
    attn_mask = None if attn_mask is None else attn_mask.to(device)
    actual = value_gated_attention(*moved, attn_mask=attn_mask, enable_gqa=True, **options)
    assert_within(actual, expected)


@settings(max_examples=40)
@given(
    batch=st.integers(0, 3),
    kv_heads=st.integers(1, 3),
    group=st.integers(1, 3),
    queries=st.integers(1, 6),
    keys=st.integers(1, 6),
    dim=st.integers(1, 9),
    placement=st.sampled_from(PLACEMENTS),
    is_causal=st.booleans(),
    mask_seed=st.none() | st.integers(0, 99),
    element=st.booleans(),
)
@fault("attention", "any shape, grouped queries too", "equals the plain formulas")
def test_is_the_reference_for_any_shape(
    batch, kv_heads, group, queries, keys, dim, placement, is_causal, mask_seed, element
):
    query, key, value = qkv(
        batch, kv_heads * group, kv_heads, queries, keys, dim, dtype=torch.float64
    )
    shape = (batch, kv_heads, keys) if placement == "key" else (batch, kv_heads * group, queries)
    gate = heads(*shape, *([dim] if element else []), dtype=torch.float64)
    mask = None if mask_seed is None else heads(batch, 1, queries, keys, seed=mask_seed) > 0
    options = {"placement": placement, "is_causal": is_causal, "attn_mask": mask}
    actual = value_gated_attention(query, key, value, gate, enable_gqa=group > 1, **options)
    expected, _ = reference_attention(query, key, value, gate, **options)
    assert_within(actual, expected)
    assert actual.isfinite().all()


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_gradcheck(placement):
    query, key, value = (t.requires_grad_() for t in qkv(1, 2, 2, 3, 3, 4, dtype=torch.float64))
    gate = heads(1, 2, 3, dtype=torch.float64).requires_grad_()

    def function(*inputs):
        return value_gated_attention(*inputs, placement=placement, is_causal=True)

    assert torch.autograd.gradcheck(function, (query, key, value, gate))


@pytest.mark.parametrize("dtype", list(TOLERANCES))
@pytest.mark.parametrize("kind", ["bool", "additive"])
@pytest.mark.parametrize("placement", PLACEMENTS)
@fault("attention", "fully masked rows", "zero, and so their gradients")
def test_rows_that_see_nothing_are_zero_forward_and_backward(dtype, kind, placement):
    tensors = [t.requires_grad_() for t in qkv(dtype=dtype)]
    gate = torch.sigmoid(heads(2, 4, 5, dtype=dtype)).requires_grad_()
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2] = False
    mask[:, 4] = False
    if kind == "additive":
        mask = torch.zeros(5, 5, dtype=dtype).masked_fill(~mask, -torch.inf)
    output = value_gated_attention(*tensors, gate, placement=placement, attn_mask=mask)
    assert (output[:, :, 2] == 0).all()
    output.sum().backward()
    query, key, value = tensors
    for tensor in (*tensors, gate):
        assert tensor.grad.isfinite().all()
    assert (query.grad[:, :, 2] == 0).all()
    assert (key.grad[:, :, 4] == 0).all()
    assert (value.grad[:, :, 4] == 0).all()


def test_causality_is_aligned_at_the_last_key():
    query, key, value = qkv(queries=2, keys=5)
    output = softmax_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(
        output[:, :, :1], softmax_attention(query[:, :, :1], key[:, :, :4], value[:, :, :4])
    )
    torch.testing.assert_close(output[:, :, 1:], softmax_attention(query[:, :, 1:], key, value))


def test_more_queries_than_keys_leaves_the_first_with_nothing():
    query, key, value = qkv(queries=5, keys=2)
    output = softmax_attention(query, key, value, is_causal=True)
    assert (output[:, :, :3] == 0).all()
    assert (output[:, :, 3] == value[:, :, 0]).all()


@pytest.mark.parametrize("kind", ["bool", "additive"])
def test_mask_and_causality_both_hold(kind):
    query, key, value = qkv(dtype=torch.float64)
    allowed = heads(5, 5, seed=4) > -0.5
    mask = allowed
    if kind == "additive":
        mask = torch.zeros(5, 5, dtype=torch.float64).masked_fill(~allowed, -torch.inf)
    actual = softmax_attention(query, key, value, attn_mask=mask, is_causal=True)
    expected, weights = reference_attention(query, key, value, attn_mask=allowed, is_causal=True)
    assert_within(actual, expected)
    assert (weights.triu(1) == 0).all()
    assert (weights[..., ~allowed] == 0).all()


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_batch_and_heads_broadcast(placement):
    query, _, _ = qkv(batch=3, dtype=torch.float64)
    _, key, value = qkv(batch=1, kv_heads=1, dtype=torch.float64)
    gate = heads(3, 1, 5, dtype=torch.float64)
    actual = value_gated_attention(query, key, value, gate, placement=placement)
    full = [t.expand(3, 4, 5, 8) for t in (key, value)]
    expected, _ = reference_attention(query, *full, gate.expand(3, 4, 5), placement=placement)
    assert_within(actual, expected)


def test_scale():
    query, key, value = qkv(dtype=torch.float64)
    gate = heads(2, 4, 5, dtype=torch.float64)
    actual = value_gated_attention(query, key, value, gate, scale=0.3)
    assert_within(actual, reference_attention(query, key, value, gate, scale=0.3)[0])


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_dropout_keeps_the_mean_and_drops(placement):
    torch.manual_seed(0)
    query, key, value = qkv(batch=4000, heads_=1, kv_heads=1)
    query, key, value = (t[:1].expand(4000, -1, -1, -1) for t in (query, key, value))
    gate = torch.sigmoid(heads(1, 1, 5))
    clean = value_gated_attention(query, key, value, gate, placement=placement)[:1]
    noisy = value_gated_attention(query, key, value, gate, placement=placement, dropout_p=0.3)
    assert not torch.equal(noisy[0], noisy[1])
    torch.testing.assert_close(noisy.mean(0, keepdim=True), clean, atol=0.06, rtol=0)


@fault("attention", "batch of 0, sequence of 1", "right shapes, no NaN")
def test_empty_batch_and_single_token():
    query, key, value = qkv(batch=0)
    assert value_gated_attention(query, key, value, torch.ones(0, 4, 5)).shape == (0, 4, 5, 8)
    query, key, value = qkv(queries=1, keys=1)
    gate = heads(2, 4, 1)
    expected = gate.unsqueeze(-1) * value
    torch.testing.assert_close(value_gated_attention(query, key, value, gate), expected)


@pytest.mark.parametrize(
    ("shape", "placement"),
    [
        ((2, 4, 6), "key"),
        ((2, 3, 5), "key"),
        ((3, 4, 5), "query"),
        ((2, 4, 5, 7), "key"),
        ((5,), "key"),
    ],
)
def test_misfitting_gates_are_errors(shape, placement):
    with pytest.raises(ConfigError, match="does not fit the"):
        value_gated_attention(*qkv(), torch.ones(shape), placement=placement)


def test_key_side_gate_per_query_head_is_an_error():
    with pytest.raises(ConfigError, match="one entry per key-value head"):
        value_gated_attention(*qkv(kv_heads=2), torch.ones(2, 4, 5), enable_gqa=True)


def test_unknown_placement():
    with pytest.raises(ConfigError, match="placement must be"):
        value_gated_attention(*qkv(), torch.ones(2, 4, 5), placement="value")


def test_without_options_it_is_torchs_attention_without_options():
    query, key, value = qkv(queries=5, keys=7)
    expected = F.scaled_dot_product_attention(query, key, value)
    assert torch.equal(softmax_attention(query, key, value), expected)
    gated = value_gated_attention(query, key, value, torch.full((2, 4, 7), 2.0))
    torch.testing.assert_close(gated, 2 * expected)


def test_grouped_queries_must_be_asked_for():
    query, key, value = qkv(kv_heads=2)
    with pytest.raises(RuntimeError):
        softmax_attention(query, key, value)
    with pytest.raises(RuntimeError):
        value_gated_attention(query, key, value, torch.ones(2, 2, 5))


@pytest.mark.parametrize("axes", [2, 4])
@pytest.mark.parametrize("kind", ["bool", "additive"])
def test_rows_that_see_nothing_are_zero_when_exported(kind, axes, monkeypatch):
    """The ONNX translation of torch's kernel does not give zeros there, so the graph must."""
    monkeypatch.setattr(functional, "_is_exporting", lambda: True)
    monkeypatch.setattr(
        functional.F, "scaled_dot_product_attention", lambda *_, **__: torch.ones(2, 4, 5, 8)
    )
    mask = torch.ones(5, 5, dtype=torch.bool)
    mask[2] = False
    mask[:, 4] = False
    if kind == "additive":
        mask = torch.zeros(5, 5).masked_fill(~mask, -torch.inf)
    mask = mask[None, None] if axes == 4 else mask
    output = softmax_attention(*qkv(), attn_mask=mask)
    assert (output[:, :, 2] == 0).all()
    assert (output[:, :, [0, 1, 3, 4]] == 1).all()
    assert (softmax_attention(*qkv()) == 1).all()
