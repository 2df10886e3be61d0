"""What people build on is frozen: public names, and the options of the command line.

The attention library holds its own names: tests/attention/test_api.py.

A wanted change is written down by `python -m tests.test_public`, and told in CHANGELOG.md.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from pellucid.cli import COMMANDS

FROZEN = Path(__file__).with_name("public.json")
MODULES = ("pellucid", "pellucid.photo", "pellucid.separator", "pellucid.errors")


def names_of(module: str) -> list[str]:
    found = import_module(module)
    own = [
        name for name, value in vars(found).items() if getattr(value, "__module__", "") == module
    ]
    return sorted(name for name in getattr(found, "__all__", own) if not name.startswith("_"))


def options_of(command: Any, name: str) -> dict[str, list[str]]:
    """Every parameter of a command, or of each command of a group."""
    if inner := getattr(command, "commands", None):
        found: dict[str, list[str]] = {}
        for own, sub in sorted(inner.items()):
            found |= options_of(sub, f"{name} {own}")
        return found
    hidden = ("--help", "--install-completion", "--show-completion")
    spellings = [s for p in command.params for s in (*p.opts, *p.secondary_opts)]
    return {name: sorted(s for s in spellings if s not in hidden)}


def options(name: str) -> dict[str, list[str]]:
    module, _, attribute = COMMANDS[name].app.partition(":")
    return options_of(typer.main.get_command(getattr(import_module(module), attribute)), name)


def frozen() -> dict[str, Any]:
    return json.loads(FROZEN.read_text("utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_names(module):
    assert names_of(module) == frozen()["names"][module]


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command):
    try:
        now = options(command)
    except ModuleNotFoundError as error:
        pytest.skip(f"needs {error.name}")
    known = {name: found for name, found in frozen()["options"].items() if name in now}
    assert now == known


if __name__ == "__main__":
    record = {
        "names": {module: names_of(module) for module in MODULES},
        "options": {k: v for name in COMMANDS for k, v in options(name).items()},
    }
    FROZEN.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
