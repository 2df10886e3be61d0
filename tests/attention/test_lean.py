from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.attention import Gate, GateSpec, lean

from .helpers import heads

SPECS = [
    GateSpec(),
    GateSpec(gain=2.0, bias=0.3),
    GateSpec(features="all", rank=2, weight_std=0.5),
    GateSpec(granularity="element", weight_std=0.5),
]


def layer(spec: GateSpec, bias: bool = True) -> tuple[nn.Linear, Gate]:
    torch.manual_seed(0)
    projection = nn.Linear(12, 8, bias=bias, dtype=torch.float64)
    gate = Gate(spec, heads=2, head_dim=4).double()
    nn.init.normal_(gate.weight)
    return projection, gate


def plainly(states, projection, gate):
    value = projection(states)
    factor = gate.activate(gate.logits(value))
    return (value.unflatten(-1, (factor.shape[-1], -1)) * factor.unsqueeze(-1)).flatten(-2)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_plain_product_and_its_gradients(spec, bias):
    projection, gate = layer(spec, bias)
    states = heads(2, 5, 12, dtype=torch.float64).requires_grad_()
    upstream = heads(2, 5, 8, seed=1, dtype=torch.float64)
    inputs = [states, *projection.parameters(), *gate.parameters()]
    expected = plainly(states, projection, gate)
    actual = lean.project_gated_values(states, projection, gate)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    for left, right in zip(
        torch.autograd.grad(actual, inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-11)


def test_first_and_second_derivatives():
    value = heads(1, 3, 8, dtype=torch.float64).requires_grad_()
    logits = heads(1, 3, 2, seed=1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, x: lean.gate_values(v, x, 2.0), (value, logits))
    assert torch.autograd.gradgradcheck(lambda v, x: lean.gate_values(v, x, 2.0), (value, logits))


def test_a_gate_that_is_shut_keeps_its_gradient_exact():
    """At σ = 6e-6 nothing divides by the gate, and at σ = 0 nothing is NaN."""
    value = heads(1, 1, 4, dtype=torch.float64).requires_grad_()
    for logit in (-12.0, -800.0):
        logits = torch.full((1, 1, 1), logit, dtype=torch.float64, requires_grad=True)
        lean.gate_values(value, logits, 1.0).sum().backward()
        gate = torch.sigmoid(logits.detach())
        expected = gate * (1 - gate) * value.detach().sum(-1, keepdim=True)
        torch.testing.assert_close(logits.grad, expected, rtol=1e-9, atol=0)


def saved_bytes(function) -> int:
    """Bytes that autograd keeps for the backward pass, each storage once."""
    storages = {}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()
    del result
    return sum(storages.values())


def test_keeps_one_activation_less():
    projection, gate = nn.Linear(64, 64), Gate(GateSpec(), heads=2, head_dim=32)
    states = torch.randn(4, 100, 64, requires_grad=True)
    activation = states.numel() * 4

    def attend(gated):
        return (gated**2).sum()  # keeps what it is given, as attention does

    spared = saved_bytes(lambda: attend(lean.project_gated_values(states, projection, gate)))
    plain = saved_bytes(lambda: attend(plainly(states, projection, gate)))
    assert plain - spared > 0.9 * activation


def test_when_it_applies():
    projection, gate = nn.Linear(4, 4), Gate(GateSpec(), heads=1, head_dim=4)
    states = torch.zeros(1, 1, 4)
    assert lean.applies(gate, projection, states)
    assert not lean.applies(gate, nn.Identity(), states)
    silu = Gate(GateSpec(activation="silu"), heads=1, head_dim=4)
    assert not lean.applies(silu, projection, states)
    handle = gate.register_forward_hook(lambda *_: None)
    assert not lean.applies(gate, projection, states)
    handle.remove()
    with torch.no_grad():
        assert not lean.applies(gate, projection, states)
    with torch.autocast("cpu", torch.bfloat16):
        assert not lean.applies(gate, projection, states)
