"""Finding the layers of a model that a configuration quantises, and naming those it does not."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from pellucid.attention.gate import Gate
from pellucid.attention.linear import input_axis
from pellucid.attention.quantisation.config import Kind, QuantisationConfig
from pellucid.attention.stand_in import PaddedEncoder, StandIn
from pellucid.errors import ConfigError


def replace_multihead(model: nn.Module) -> Iterator[StandIn | PaddedEncoder]:
    """Replace torch's attention layers one by one, and keep its encoders from going past them."""
    if isinstance(model, nn.MultiheadAttention):
        raise ConfigError(
            "A bare torch.nn.MultiheadAttention cannot be quantised in place: pass the module "
            "that holds it."
        )
    for module in list(model.modules()):
        if isinstance(module, nn.TransformerEncoder):
            yield PaddedEncoder(module)
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MultiheadAttention):
                yield StandIn(module, name)


def find_layers(
    model: nn.Module, config: QuantisationConfig
) -> tuple[dict[str, tuple[nn.Module, Kind]], dict[str, str]]:
    """Sort the modules that hold a weight.

    Returns:
        Those that are quantised, with what they are, and those that are not, with the reason; each
        by its name.

    """
    head = _head(model)
    gates = [module for module in model.modules() if isinstance(module, Gate)]
    in_gates = {module for gate in gates for module in gate.modules()}
    found: dict[str, tuple[nn.Module, Kind]] = {}
    left_out: dict[str, str] = {}
    for path, module in model.named_modules():
        if not any(parameter.ndim > 1 for parameter in module.parameters(recurse=False)):
            continue
        kind = _kind(module, module in in_gates)
        if kind is None:
            left_out[path] = f"{type(module).__name__}, in full precision"
        elif module is head and not config.head:
            left_out[path] = "the head"
        elif kind not in config.kinds:
            left_out[path] = f"of the kind {kind!r}, not asked for"
        elif any(fnmatchcase(path, pattern) for pattern in config.exclude):
            left_out[path] = "excluded"
        else:
            found[path] = (module, kind)
    return found, left_out


def _kind(module: nn.Module, in_gate: bool) -> Kind | None:
    if not isinstance(module._parameters.get("weight"), nn.Parameter):
        return None  # a weight that is computed cannot be replaced
    if in_gate:
        return "gate"
    return None if input_axis(module) is None else "linear"


def _head(model: Any) -> nn.Module | None:
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return head if isinstance(head, nn.Module) else None
