"""Every command's help shows how it is used and what its exit codes mean."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
import typer

from pellucid.cli import COMMANDS, _load, app
from pellucid.cli.help import EXAMPLES, explain

from .conftest import SOURCE_FIRST


def every_command() -> list[tuple[str, object]]:
    found = []
    for name in COMMANDS:
        command = _load(name)
        inner = getattr(command, "commands", None)
        found += [(f"{name} {own}", c) for own, c in inner.items()] if inner else [(name, command)]
    return found


@pytest.mark.parametrize(("name", "command"), every_command(), ids=lambda value: str(value)[:30])
def test_the_help_ends_with_examples_and_exit_codes(name, command):
    epilog = command.epilog
    assert EXAMPLES[name], f"{name} has no example in pellucid.cli.help"
    assert all(example in epilog for example in EXAMPLES[name])
    assert "Exit codes: 0 = " in epilog


@pytest.mark.parametrize(("name", "command"), every_command(), ids=lambda value: str(value)[:30])
def test_examples_can_be_parsed(name, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for example in EXAMPLES[name]:
        words = shlex.split(example)
        assert words[0] == "pellucid"
        arguments = words[1 + len(name.split()) :]
        for word in arguments:
            if word.endswith((".txt", ".jsonl", ".toml")):
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / word).touch()
        command.make_context(name, arguments)


def test_no_example_is_of_a_command_that_is_not_there():
    assert set(EXAMPLES) == {name for name, _ in every_command()}


def test_a_plain_command_gets_the_usual_codes():
    command = typer.main.get_command(app)
    del command.commands
    explain(command, "other")
    assert "1 = it failed" in command.epilog


@pytest.mark.parametrize(
    ("words", "expected"), [("pellucid separate --tr", "--transmission"), ("pellucid ba", "batch")]
)
def test_shells_complete_commands_and_options(words, expected):
    place = str(len(words.split()) - 1)
    asked = {"_PELLUCID_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": place}
    code = "import sys; sys.argv = ['pellucid']; from pellucid.cli import main; main()"
    run = subprocess.run(
        [sys.executable, "-c", code], env=SOURCE_FIRST | asked, capture_output=True, check=True
    )
    assert expected in run.stdout.decode().split()
