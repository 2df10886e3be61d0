"""Gates in models of the transformers library, through its `AttentionInterface`.

`register` makes an attention implementation of this library's name known, together with its mask
function. Without a mask function of the same name transformers hands the attention no mask at all,
and padding, or even causality, is lost without a word.

`attach_gates` puts a gate on every attention layer that has `q_proj` and `v_proj`. Gates are
computed where the projections are, not where attention is: a key-side gate so goes into
transformers' own KV cache, and a query-side gate belongs to the new tokens whatever cache is used.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pellucid.attention.functional import apply_gate, softmax_attention
from pellucid.attention.gate import Gate, GateSpec, gate_preset, merge_heads
from pellucid.errors import ConfigError

NAME = "pellucid"


def register(name: str = NAME) -> None:
    """Make `attn_implementation=name` known to transformers, with its mask function.

    Raises:
        ConfigError: transformers is not installed.

    """
    try:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import sdpa_mask
    except ImportError as error:
        raise ConfigError("Registering needs the package transformers: install it.") from error
    AttentionInterface.register(name, gated_attention_forward)
    AttentionMaskInterface.register(name, sdpa_mask)


def gated_attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **_unused: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers calls it, and multiply by the layer's query-side gate if it has one.

    Args:
        module: the attention layer that calls.
        query: (batch, heads, queries, dim).
        key: (batch, kv_heads, keys, dim).
        value: likewise; already gated if the layer's gate is key-side.
        attention_mask: bool or additive, from transformers' mask function.
        dropout: probability of dropping an attention weight.
        scaling: factor of the scores.
        is_causal: a query sees no later key; None: as the module says.
        **_unused: what transformers passes to other implementations.

    Returns:
        (batch, queries, heads, dim), and None for the map.

    Raises:
        ConfigError: this function was registered without a mask function.

    """
    _check_mask_function(module)
    if is_causal is None:
        is_causal = bool(getattr(module, "is_causal", True))
    mixed = softmax_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        is_causal=is_causal and attention_mask is None,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    hooks = getattr(module, "pellucid_hooks", None)
    gate = hooks.output_gate(mixed) if hooks is not None else None
    gated = mixed if gate is None else apply_gate(mixed, gate, "output")
    return gated.transpose(1, 2).contiguous(), None


def attach_gates(model: nn.Module, spec: GateSpec | str, name: str = NAME) -> list[str]:
    """Put a gate on every self-attention layer of a transformers model and switch it to `name`.

    The gates become part of the model's parameters and state dict, as `pellucid_gate` of each
    layer.

    Args:
        model: a `PreTrainedModel`.
        spec: a `GateSpec` or the name of a preset.
        name: the attention implementation, registered here if it is not yet.

    Returns:
        The names of the layers that got a gate.

    Raises:
        ConfigError: no layer has separate query and value projections, or one has a gate already.

    """
    spec = gate_preset(spec) if isinstance(spec, str) else spec
    layers = {path: layer for path, layer in model.named_modules() if _is_attention(layer)}
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} has no attention layer with q_proj, v_proj and head_dim, so "
            "there is nothing to put a gate on."
        )
    gated = [path for path, layer in layers.items() if hasattr(layer, "pellucid_gate")]
    if gated:
        raise ConfigError(f"{gated[0]} has a gate already: call detach_gates first.")
    register(name)
    for layer in layers.values():
        _attach(layer, spec, name)
    set_implementation: Any = model.set_attn_implementation
    set_implementation(name)
    return list(layers)


def detach_gates(model: nn.Module) -> None:
    """Take all gates off again; the model computes what it did before `attach_gates`.

    Its attention implementation stays: without gates that is plain softmax attention.
    """
    for layer in model.modules():
        hooks = getattr(layer, "pellucid_hooks", None)
        if hooks is not None:
            hooks.remove()
            del layer.pellucid_hooks
            del layer.pellucid_gate


class _Hooks:
    """The hooks of one layer: where its gate meets its projections."""

    def __init__(self, layer: Any, gate: Gate, name: str) -> None:
        self.gate = gate
        self.name = name
        self.layer_config = layer.config
        self.query_input: Tensor | None = None
        self.pending: Tensor | None = None
        self.handles = [
            layer.q_proj.register_forward_hook(self.on_query),
            layer.v_proj.register_forward_hook(self.on_value),
        ]

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def on_query(self, _: nn.Module, inputs: tuple[Tensor], __: Tensor) -> None:
        self.query_input = inputs[0]

    def on_value(self, _: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        states, query_input = inputs[0], self.query_input
        self.query_input = None
        spec = self.gate.spec
        if spec.placement == "key":
            gate = self.gate(output if spec.signal == "value" else states)
            heads = output.unflatten(-1, (self.gate.gated_heads, -1)).transpose(1, 2)
            return merge_heads(apply_gate(heads, gate, "value"))
        self._check_implementation()
        if spec.signal == "input":
            assert query_input is not None  # layers project queries before values
            self.pending = self.gate(query_input)
        elif spec.signal == "value":
            _check_self_attention(query_input, states)
            self.pending = self.gate(output)
        return output

    def output_gate(self, mixed: Tensor) -> Tensor | None:
        """Return the query-side gate of the tokens just projected, once."""
        if self.gate.spec.signal == "mixed":
            return self.gate(merge_heads(mixed))
        gate, self.pending = self.pending, None
        return gate

    def _check_implementation(self) -> None:
        used = self.layer_config._attn_implementation
        if used != self.name:
            raise ConfigError(
                f"This model has query-side gates, which need attn_implementation={self.name!r}; "
                f"it is set to {used!r} and would ignore them."
            )


def _attach(layer: Any, spec: GateSpec, name: str) -> None:
    gate = Gate(
        spec,
        heads=layer.q_proj.out_features // layer.head_dim,
        head_dim=layer.head_dim,
        kv_heads=layer.v_proj.out_features // layer.head_dim,
        input_dim=layer.v_proj.in_features,
    )
    layer.pellucid_gate = gate.to(layer.v_proj.weight)
    layer.pellucid_hooks = _Hooks(layer, gate, name)


def _is_attention(layer: nn.Module) -> bool:
    projections = (getattr(layer, "q_proj", None), getattr(layer, "v_proj", None))
    return all(isinstance(p, nn.Linear) for p in projections) and hasattr(layer, "head_dim")


def _check_self_attention(query_input: Tensor | None, states: Tensor) -> None:
    if query_input is not states:
        raise ConfigError(
            "In cross-attention a query token has no value of its own: use 'vga-mixed' or "
            "'vga-key' for this model."
        )


def _check_mask_function(module: Any) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    name = module.config._attn_implementation
    if name not in ALL_MASK_ATTENTION_FUNCTIONS:
        raise ConfigError(
            f"{name!r} has no mask function in transformers, so padding and causality would be "
            "lost: register it with pellucid.attention.huggingface.register."
        )
