"""What a layer does with <s>: attention, values, gates, and the gradients that reach them.

One forward and one backward pass over held-out sequences, with hooks that are gone afterwards.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pellucid.attention.experiments.backcopy import BackcopyTask, Batch
from pellucid.attention.module import Attention, merge_heads
from pellucid.attention.neighbours import AttentionFunction
from pellucid.attention.reference import masked_scores

Figures = dict[str, float]

DEFINITIONS: dict[str, str] = {
    "backcopy": "mean −log p of the character to copy, at triggers; nats",
    "bigram": "cross-entropy to the true row of the table less its entropy, elsewhere; nats",
    "attention": "mean weight of <s> for queries that are no triggers, <s> left out; before a gate",
    "mass": "mean sum of such a query's weights over all tokens",
    "value": "mean ‖V_s‖ before a gate",
    "drain": "‖V_s‖ / median ‖V_j‖ of the other tokens",
    "mixed_drain": "the same for the values as they are mixed, so after a key-side gate",
    "delta_logit": "mean over the same queries of s_i0 − mean of s_ij over 1 ≤ j < i",
    "gate_sink": "mean gate of <s>",
    "gate_trigger": "mean gate of triggers",
    "gate_other": "mean gate of all other tokens",
    "grad_value": "mean ‖∂L/∂V_s‖, V before the gate, L a sequence's summed cross-entropy",
    "grad_value_other": "the same, mean over the other tokens",
    "grad_score": "mean |∂L/∂s_i0| over queries that are no triggers",
}


class _Watch:
    """Keeps what one layer computes in one pass."""

    def __init__(self, layer: Attention, stack: ExitStack) -> None:
        self.layer = layer
        self.values: list[Tensor] = []
        self.gates: list[Tensor] = []
        self.mixed: tuple[Tensor, ...] = ()
        hooks = [
            layer.v_proj.register_forward_hook(self._on_value),
            layer.function.register_forward_pre_hook(self._on_mix),
        ]
        if layer.gate is not None:
            hooks.append(layer.gate.register_forward_hook(self._on_gate))
        for hook in hooks:
            stack.callback(hook.remove)

    def _on_value(self, _: nn.Module, __: Any, output: Tensor) -> None:
        output.retain_grad()
        self.values.append(output)

    def _on_gate(self, _: nn.Module, __: Any, output: Tensor) -> None:
        self.gates.append(output.detach())

    def _on_mix(self, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.mixed = tuple(tensor.detach() for tensor in args)


def measure(model: nn.Module, layer: Attention, task: BackcopyTask, batch: Batch) -> Figures:
    """Measure one layer of a model; parameters' gradients are cleared.

    Args:
        model: takes tokens and `attn_mask`, an addition to the scores.
        layer: one of its `Attention` layers, of one head.
        task: what the sequences are of.
        batch: held-out sequences.

    Returns:
        The figures of `DEFINITIONS`; those of gates only if there is one.

    """
    length = batch.inputs.shape[1]
    added = torch.zeros(len(batch.tokens), 1, length, length, requires_grad=True)
    with ExitStack() as stack:
        watch = _Watch(layer, stack)
        logits = model(batch.inputs, attn_mask=added)
        losses = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="sum")
        losses.backward()
    model.zero_grad(set_to_none=True)
    backcopy, bigram = task.risks(logits.detach(), batch)
    idle = ~task.is_trigger(batch.inputs)
    idle[:, 0] = False
    assert added.grad is not None
    figures = {"backcopy": float(backcopy), "bigram": float(bigram)}
    figures |= _attention_figures(watch, idle)
    figures |= _value_figures(watch, length)
    figures |= _gate_figures(watch, task, batch.inputs)
    figures["grad_score"] = float(added.grad[:, 0, :, 0][idle].abs().mean())
    return figures


@torch.no_grad()
def first_token_weights(
    function: AttentionFunction,
    query: Float[Tensor, "batch 1 queries dim"],
    key: Float[Tensor, "batch 1 keys dim"],
) -> tuple[Float[Tensor, "batch queries"], Float[Tensor, "batch queries"]]:
    """Return the weight of the first token and the sum over all tokens, for any function.

    Every attention function is linear in the values, so the weights are what it makes of unit
    values: one feature marks the first token, another marks all. Keys may begin with a prefix.
    """
    prefix = key.shape[-2] - query.shape[-2]
    unit = torch.zeros_like(key)
    unit[:, :, prefix, 0] = 1.0
    unit[:, :, prefix:, 1] = 1.0
    own = function(query, key, torch.zeros_like(key), is_causal=True)  # of a learned value
    weights = (function(query, key, unit, is_causal=True) - own)[:, 0]
    return weights[..., 0], weights[..., 1]


def _attention_figures(watch: _Watch, idle: Bool[Tensor, "batch length"]) -> Figures:
    query, key, _ = watch.mixed
    length = query.shape[-2]
    first, mass = first_token_weights(watch.layer.function, query, key)
    scores = masked_scores(query, key[:, :, -length:])[:, 0]
    earlier = torch.ones(length, length).tril(-1)
    earlier[:, 0] = 0.0
    count = earlier.sum(-1)
    delta = scores[:, :, 0] - (scores * earlier).sum(-1) / count.clamp(min=1)
    return {
        "attention": float(first[idle].mean()),
        "mass": float(mass[idle].mean()),
        "delta_logit": float(delta[idle & (count > 0)].mean()),
    }


def _value_figures(watch: _Watch, length: int) -> Figures:
    value = watch.values[0]
    assert value.grad is not None
    mixed = merge_heads(watch.mixed[2][:, :, -length:])
    pulled = value.grad.norm(dim=-1)
    return {
        "value": float(value[:, 0].detach().norm(dim=-1).mean()),
        "drain": _drain(value.detach()),
        "mixed_drain": _drain(mixed),
        "grad_value": float(pulled[:, 0].mean()),
        "grad_value_other": float(pulled[:, 1:].mean()),
    }


def _drain(value: Float[Tensor, "batch tokens dim"]) -> float:
    norms = value.norm(dim=-1)
    return float((norms[:, 0] / norms[:, 1:].median(dim=-1).values.clamp_min(1e-12)).mean())


def _gate_figures(
    watch: _Watch, task: BackcopyTask, tokens: Int[Tensor, "batch length"]
) -> Figures:
    if not watch.gates:
        return {}
    gate = watch.gates[0][:, 0]
    gate = gate if gate.ndim == 2 else gate.mean(dim=-1)
    trigger = task.is_trigger(tokens)
    other = ~trigger
    other[:, 0] = False
    return {
        "gate_sink": float(gate[:, 0].mean()),
        "gate_trigger": float(gate[trigger].mean()),
        "gate_other": float(gate[other].mean()),
    }
