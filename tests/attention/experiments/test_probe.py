from __future__ import annotations

import pytest
import torch

from pellucid.attention.experiments.backcopy import sonnet_task
from pellucid.attention.experiments.interventions import INTERVENTIONS, intervene
from pellucid.attention.experiments.methods import METHODS
from pellucid.attention.experiments.probe import DEFINITIONS, first_token_weights, measure
from pellucid.attention.experiments.transformer import Transformer, TransformerConfig, build
from pellucid.attention.gradients import attention_gradients
from pellucid.attention.module import Attention
from pellucid.attention.reference import reference_attention
from pellucid.errors import ConfigError

LENGTH, DIM = 24, 16


def make(method: str) -> tuple[Transformer, Attention]:
    """Return a decoder whose gates differ from token to token."""
    config = TransformerConfig(sonnet_task().vocabulary, LENGTH, DIM, method=method)
    model = build(config, seed=0)
    layer = model.attention()
    if layer.gate is not None:
        torch.nn.init.normal_(layer.gate.weight, std=0.3, generator=torch.manual_seed(1))
    return model, layer


def held_out():
    return sonnet_task().sample(3, LENGTH, 5, 5)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_measured(method):
    model, layer = make(method)
    figures = measure(model, layer, sonnet_task(), held_out())
    gates = {name for name in DEFINITIONS if name.startswith("gate")}
    assert figures.keys() == DEFINITIONS.keys() - (set() if METHODS[method].gate else gates)
    assert all(map(torch.isfinite, map(torch.tensor, figures.values())))
    assert all(p.grad is None for p in model.parameters())
    assert not layer.v_proj._forward_hooks


@pytest.mark.parametrize("method", ["vanilla", "vga-key", "vga-query", "iga-key", "iga-query"])
def test_figures_agree_with_the_closed_form(method):
    model, layer = make(method)
    batch, task = held_out(), sonnet_task()
    figures = measure(model, layer, task, batch)
    seen = {}

    def see_output(_, inputs):
        inputs[0].retain_grad()
        seen["z"] = inputs[0]

    layer.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    layer.out_proj.register_forward_pre_hook(see_output)
    logits = model(batch.inputs).flatten(0, 1)
    torch.nn.functional.cross_entropy(logits, batch.targets.flatten(), reduction="sum").backward()
    x, upstream = seen["x"].detach(), seen["z"].grad
    with torch.no_grad():
        value = layer.v_proj(x)
        spec = None if layer.gate is None else layer.gate.spec
        gate = None if spec is None else layer.gate(value if spec.signal == "value" else x)[:, 0]
        query, key = layer.q_proj(x)[:, None], layer.k_proj(x)[:, None]
        _, attention = reference_attention(query, key, value[:, None], is_causal=True)
        weight = layer.gate.weight.flatten() if spec and spec.signal == "value" else None
        expected = attention_gradients(
            attention[:, 0],
            value,
            upstream,
            gate,
            weight,
            placement="key" if spec is None else spec.placement,
        )
    idle = ~task.is_trigger(batch.inputs)
    idle[:, 0] = False
    close = {"rel": 1e-3}
    assert figures["grad_value"] == pytest.approx(
        float(expected.value[:, 0].norm(dim=-1).mean()), **close
    )
    assert figures["grad_score"] == pytest.approx(
        float(expected.scores[:, :, 0][idle].abs().mean()), **close
    )
    assert figures["attention"] == pytest.approx(float(attention[:, 0, :, 0][idle].mean()), **close)
    assert figures["mass"] == pytest.approx(1.0, **close)
    if gate is not None:
        assert figures["gate_sink"] == pytest.approx(float(gate[:, 0].mean()), **close)


def test_weights_of_a_function_with_a_value_of_its_own():
    function = METHODS["kv-bias"].function
    from pellucid.attention.experiments.methods import Sizes

    kv_bias = function(Sizes(DIM, 1, LENGTH))
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(2, 1, LENGTH, DIM, generator=generator) for _ in range(2))
    first, mass = first_token_weights(kv_bias, query, key)
    assert torch.allclose(first[:, 0] + (1 - mass[:, 0]), torch.ones(2))  # <s> and the learned key
    assert (mass < 1).all()


def test_scaled_value_gradients():
    def value_gradient(intervention):
        model, layer = make("vanilla")
        intervene(layer, intervention)
        return measure(model, layer, sonnet_task(), held_out())

    plain = value_gradient("none")
    without = value_gradient("no-sink-value-gradient")
    tenth = value_gradient("value-gradients-tenth")
    assert without["grad_value"] == 0 < plain["grad_value"]
    assert without["grad_value_other"] == pytest.approx(plain["grad_value_other"])
    assert tenth["grad_value"] == pytest.approx(plain["grad_value"] / 10)
    assert tenth["backcopy"] == plain["backcopy"]  # nothing but the gradients has changed


@pytest.mark.parametrize("method", ["vga-key", "vga-query"])
def test_a_detached_signal_takes_the_reactive_term_away(method):
    gradients = {}
    for intervention in ("none", "detached-gate-signal"):
        model, layer = make(method)
        intervene(layer, intervention)
        tokens = held_out().inputs
        model(tokens).square().sum().backward()
        gradients[intervention] = layer.v_proj.weight.grad
        assert layer.gate.weight.grad.abs().max() > 0
    assert not torch.allclose(gradients["none"], gradients["detached-gate-signal"])


def test_an_intervention_that_does_not_fit():
    _, layer = make("vanilla")
    with pytest.raises(ConfigError, match="no gate whose signal"):
        intervene(layer, "detached-gate-signal")
    with pytest.raises(ConfigError, match="choose from none"):
        intervene(layer, "nonsense")
    assert "none" in INTERVENTIONS
