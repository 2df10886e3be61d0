"""Pellucid: photos taken through glass, split into transmission and reflection, guided by words."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.separator import Separation, Separator

__all__ = ["Separation", "Separator", "__version__"]
__version__ = "0.1.5"


def __getattr__(name: str) -> object:
    """Import the separator only when it is asked for, so that `pellucid --help` stays quick."""
    if name in {"Separation", "Separator"}:
        return getattr(importlib.import_module("pellucid.separator"), name)
    raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
