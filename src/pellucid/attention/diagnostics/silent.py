"""Naming the attention layers of a model that no source could read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import nn


def silent_layers(
    paths: Mapping[nn.Module, str], ran: Collection[nn.Module], known: Iterable[str]
) -> dict[str, str]:
    """Return the modules that look like attention and of which nothing is known, and why.

    Args:
        paths: all modules and their names in the model.
        ran: those that were called.
        known: names of those that were measured, or of which it is known why not; what is inside
            them or around them counts as known.

    """
    found: dict[str, str] = {}
    known = list(known)
    for module, path in paths.items():
        if not _looks_like_attention(module):
            continue
        if any(_are_related(path, other) for other in (*known, *found)):
            continue
        kind = type(module).__name__
        found[path] = (
            f"{kind} ran, but its attention is computed in a way that no source of the diagnostics "
            "sees: implement the Inspectable protocol, or use scaled_dot_product_attention"
            if module in ran
            else f"{kind} did not run"
        )
    return found


def _looks_like_attention(module: nn.Module) -> bool:
    name = type(module).__name__.lower()
    return "attention" in name or "attn" in name


def _are_related(one: str, other: str) -> bool:
    """Tell whether one path is the other, or inside it, or around it; "" is the model itself."""
    return (
        not one
        or not other
        or f"{one}.".startswith(f"{other}.")
        or f"{other}.".startswith(f"{one}.")
    )
