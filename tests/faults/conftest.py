"""The command line in this process, as the tests of `tests/cli` run it."""

from __future__ import annotations

from ..cli.conftest import cli

__all__ = ["cli"]
