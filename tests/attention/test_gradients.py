from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.attention.gradients import attention_gradients

from .helpers import heads

CASES = [
    ("vanilla", "key"),
    ("input", "key"),
    ("value", "key"),
    ("input", "query"),
    ("value", "query"),
]


def forward(scores, value, gate, placement):
    weights = torch.softmax(scores, dim=-1)
    if gate is None:
        return weights, weights @ value
    gate = gate.unsqueeze(-1)
    return weights, weights @ (gate * value) if placement == "key" else gate * (weights @ value)


def worst_error(kind, placement, tokens, dim, seed) -> float:
    """Closed form against autograd, the largest absolute difference of both gradients."""
    value = heads(tokens, dim, seed=seed, dtype=torch.float64).requires_grad_()
    scores = heads(tokens, tokens, seed=seed + 1, dtype=torch.float64).requires_grad_()
    upstream = heads(tokens, dim, seed=seed + 2, dtype=torch.float64)
    weight = heads(dim, seed=seed + 3, dtype=torch.float64)
    gate = {
        "vanilla": lambda: None,
        "input": lambda: torch.sigmoid(heads(tokens, seed=seed + 4, dtype=torch.float64)),
        "value": lambda: torch.sigmoid(value @ weight),
    }[kind]()
    weights, output = forward(scores, value, gate, placement)
    expected = torch.autograd.grad(output, (value, scores), upstream)
    with torch.no_grad():
        actual = attention_gradients(
            weights,
            value,
            upstream,
            gate,
            weight if kind == "value" else None,
            placement=placement,
        )
    return max((a - e).abs().max().item() for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize(("kind", "placement"), CASES)
def test_closed_forms_are_autograds(kind, placement):
    assert worst_error(kind, placement, tokens=16, dim=8, seed=0) <= 1e-9


@settings(max_examples=30)
@given(
    case=st.sampled_from(CASES),
    tokens=st.integers(1, 12),
    dim=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_closed_forms_are_autograds_for_any_shape(case, tokens, dim, seed):
    assert worst_error(*case, tokens=tokens, dim=dim, seed=seed) <= 1e-9


def sink_case() -> dict[str, torch.Tensor]:
    """The limit of the paper's loop: a sink that takes α = .997, with its gate at 6e-6.

    ‖V_0‖ = 5.5 and U_0 has norm 3.57. w lies along V_0, which is the least that shuts the gate so
    far; the cosine of the angle between V_0 and U_0 is 0.675, of which the figure below depends.
    """
    tokens, dim = 32, 8
    weights = torch.full((tokens, tokens), 0.003 / (tokens - 1), dtype=torch.float64)
    weights[:, 0] = 0.997
    value = heads(tokens, dim, seed=1, dtype=torch.float64)
    value[0] = 0
    value[0, 0] = 5.5
    weight = torch.zeros(dim, dtype=torch.float64)
    weight[0] = math.log(6e-6 / (1 - 6e-6)) / 5.5
    direction = torch.zeros(dim, dtype=torch.float64)
    direction[0], direction[1] = 0.675, math.sqrt(1 - 0.675**2)
    upstream = (3.57 / (0.997 * tokens)) * direction.expand(tokens, dim)
    return {"weights": weights, "value": value, "weight": weight, "upstream": upstream}


def test_limit_key_side_ends_the_drain():
    case = sink_case()
    gate = torch.sigmoid(case["value"] @ case["weight"])
    assert gate[0].item() == pytest.approx(6e-6, rel=1e-6)
    vanilla = attention_gradients(case["weights"], case["value"], case["upstream"])
    gated = attention_gradients(
        case["weights"], case["value"], case["upstream"], gate, case["weight"]
    )
    assert vanilla.value[0].norm().item() == pytest.approx(3.57, rel=1e-9)
    assert gated.value[0].norm().item() == pytest.approx(1.6e-4, rel=0.02)


def test_limit_key_side_does_not_end_the_sink():
    """As g_s → 0, ∂L/∂s_is → −α_is δ_i · z_i: the gate leaves the sink's scores alone."""
    case = sink_case()
    gate = torch.sigmoid(case["value"] @ case["weight"])
    gated = attention_gradients(
        case["weights"], case["value"], case["upstream"], gate, case["weight"]
    )
    output = case["weights"] @ (gate.unsqueeze(-1) * case["value"])
    limit = -case["weights"][:, 0] * (case["upstream"] * output).sum(-1)
    torch.testing.assert_close(gated.scores[:, 0], limit, rtol=0.2, atol=1e-5)


def test_query_side_scales_every_score_gradient_by_its_gate():
    case = sink_case()
    gate = torch.sigmoid(heads(32, seed=3, dtype=torch.float64))
    vanilla = attention_gradients(case["weights"], case["value"], case["upstream"])
    gated = attention_gradients(
        case["weights"], case["value"], case["upstream"], gate, placement="query"
    )
    torch.testing.assert_close(gated.scores, gate[:, None] * vanilla.scores)
