from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.attention.diagnostics import metrics
from pellucid.attention.diagnostics.columns import attention_columns
from pellucid.attention.diagnostics.metrics import measure
from pellucid.attention.diagnostics.states import AttentionStates
from tests.attention.diagnostics.naive import naive_metrics


@st.composite
def attention_states(draw: st.DrawFn) -> AttentionStates:
    """Random layers: causal, padded left or right, grouped, cross, cached, gated."""
    batch, kv_heads, group = (draw(st.integers(1, 3)) for _ in range(3))
    keys = draw(st.integers(1, 9))
    kind = draw(st.sampled_from(["self", "causal", "cached", "cross"]))
    queries = keys
    if kind == "cached":
        queries = draw(st.integers(1, keys))
    elif kind == "cross":
        queries = draw(st.integers(1, 9))
    heads, dim = kv_heads * group, draw(st.sampled_from([1, 4]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))

    def randn(*shape: int) -> torch.Tensor:
        return 2 * torch.randn(shape, generator=generator)

    masks: list[torch.Tensor] = []
    padding = draw(st.sampled_from(["none", "right", "left"]))
    if padding != "none":
        lengths = torch.randint(1, keys + 1, (batch,), generator=generator)
        positions = torch.arange(keys) if padding == "right" else torch.arange(keys).flip(0)
        seen = (positions < lengths[:, None])[:, None, None]
        if draw(st.booleans()):
            masks.append(seen)
        else:
            lowest = torch.finfo(torch.float32).min
            masks.append(torch.zeros(seen.shape).masked_fill(~seen, lowest))
    if draw(st.booleans()):
        masks.append(randn(1, heads, queries, keys))
    placement = draw(st.sampled_from(["key", "query"]))
    gate = torch.rand(batch, kv_heads if placement == "key" else heads,
                      keys if placement == "key" else queries, generator=generator)  # fmt: skip
    raw = randn(batch, kv_heads, keys, dim)
    key_side = placement == "key"
    return AttentionStates(
        query=randn(batch, heads, queries, dim),
        key=randn(batch, kv_heads, keys, dim),
        value=gate[..., None] * raw if key_side else raw,
        scale=dim**-0.5,
        masks=tuple(masks),
        causal_offset=keys - queries if kind in ("causal", "cached") else None,
        self_attention=kind != "cross",
        raw_value=raw if key_side else None,
        gate=gate,
        placement=placement,
        output_weight=randn(heads, dim, 5),
    )


@settings(max_examples=150)
@given(states=attention_states(), epsilon=st.sampled_from([0.1, 0.3]))
def test_agrees_with_whole_maps(states: AttentionStates, epsilon: float) -> None:
    found = measure(states, epsilon).values
    expected = naive_metrics(states, epsilon)
    for name, values in expected.items():
        np.testing.assert_allclose(
            found[name].double().numpy(), values, rtol=1e-5, atol=1e-5, err_msg=name
        )
    assert expected.keys() | {"gate_mean", "gate_low", "gate_high"} == found.keys()
    assert found.keys() <= metrics.DEFINITIONS.keys()


@settings(max_examples=30)
@given(states=attention_states())
def test_chunks_change_nothing(states: AttentionStates) -> None:
    whole, rows = attention_columns(states), attention_columns(states, budget=1)
    for field in dataclasses.fields(whole):
        torch.testing.assert_close(
            getattr(whole, field.name), getattr(rows, field.name), rtol=1e-5, atol=1e-6,
            equal_nan=True,
        )  # fmt: skip


def _states(**changes: object) -> AttentionStates:
    states = AttentionStates(
        torch.zeros(1, 1, 4, 2), torch.zeros(1, 1, 4, 2), torch.ones(1, 1, 4, 2), scale=1.0
    )
    return dataclasses.replace(states, **changes)


def test_sink_logit_takes_attention_from_all_keys() -> None:
    columns = attention_columns(_states(sink_logit=torch.tensor([np.log(4.0)])))
    torch.testing.assert_close(columns.mass, torch.full((1, 1, 4), 0.5))


def test_softcap_bounds_scores() -> None:
    query = torch.tensor([[[[1e6, 0.0]]]])
    key = torch.tensor([[[[1.0, 0.0], [-1.0, 0.0]]]])
    columns = attention_columns(
        _states(query=query, key=key, value=key, softcap=0.5, self_attention=False)
    )
    expected = torch.tensor([0.5, -0.5]).softmax(0)[None, None]
    torch.testing.assert_close(columns.mass, expected)


def test_prefix_is_no_token() -> None:
    found = measure(_states(prefix=1, query=torch.zeros(1, 1, 3, 2)), 0.3)
    assert found.values["prefix_attention"].item() == pytest.approx(0.25)
    assert found.values["first_attention"].item() == pytest.approx(0.25)
    assert found.mass.shape[-1] == 4
    assert found.mass[0, 0].isnan().tolist() == [False, False, False, True]


def test_row_without_keys_is_no_nan() -> None:
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[2] = False
    columns = attention_columns(_states(masks=(mask,)))
    torch.testing.assert_close(columns.mass, torch.full((1, 1, 4), 0.75))


def test_gate_shares_and_peaks_without_padding() -> None:
    padding = torch.tensor([True, True, True, False])[None, None, None]
    gate = torch.tensor([[[0.01, 0.02, 0.99, 1.0]]])
    found = measure(_states(gate=gate, masks=(padding,)), 0.3)
    assert found.values["gate_low"].item() == pytest.approx(2 / 3)
    assert found.values["gate_high"].item() == pytest.approx(1 / 3)
    assert found.gate_peak is not None
    assert found.gate_peak.item() == pytest.approx(0.99)


def test_half_precision_is_summed_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 64, 8, generator=generator).bfloat16() for _ in range(2))
    states = AttentionStates(query, key, key, scale=8**-0.5)
    mass = attention_columns(states).mass
    assert mass.dtype == torch.float32
    torch.testing.assert_close(mass.sum(dim=-1), torch.full((1, 2), 64.0))
