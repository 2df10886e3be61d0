"""The command line in this process, and a tiny training run, as their own tests have them."""

from __future__ import annotations

from ..cli.conftest import cli
from ..training.conftest import photo_folder, tiny_run

__all__ = ["cli", "photo_folder", "tiny_run"]
