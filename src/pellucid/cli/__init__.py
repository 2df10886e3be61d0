"""The command `pellucid`; each of its commands is a module that is imported only to run it."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from pellucid import __version__
from pellucid.cli.console import say
from pellucid.cli.help import explain
from pellucid.errors import PellucidError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Command(NamedTuple):
    """Where a command's typer app is, its line in the help, and the extra it needs, if any."""

    app: str
    help: str
    extra: str | None = None


COMMANDS = {
    "separate": Command("pellucid.cli.separate:app", "Split photos into their two layers."),
    "batch": Command(
        "pellucid.cli.batch:app", "Separate whole folders, here or on a cluster.", "cluster"
    ),
    "web": Command("pellucid.cli.web:app", "Serve the web page and the HTTP API.", "web"),
    "evaluate": Command(
        "pellucid.cli.evaluate:app", "Score the model and yardsticks on pairs with ground truth."
    ),
    "synthesise": Command(
        "pellucid.cli.synthesise:app", "Write the mixtures the model is trained on.", "train"
    ),
    "train": Command("pellucid.cli.train:app", "Train a separator, or resume.", "train"),
    "export": Command(
        "pellucid.cli.export:app", "Turn trained weights into shipped files.", "train"
    ),
    "attention": Command(
        "pellucid.cli.attention:app", "Inspect, mend and time attention.", "attention"
    ),
    "benchmark": Command("pellucid.cli.benchmark:app", "Measure time and memory on this machine."),
    "info": Command("pellucid.cli.info:app", "Show the shipped model, its licences and files."),
}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:  # noqa: ARG002
        """Return a stand-in that is enough to print the help."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name].help)

    def resolve_command(self, ctx: Any, args: list[str]):
        """Return the real command, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        ctx.invoked_subcommand = name
        return name, _load(name) if name and command else command, rest

    def invoke(self, ctx: Any) -> object:
        """Run the command; an error a person can act on becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except PellucidError as error:
            say(f"error: {error}")
        except ModuleNotFoundError as error:
            extra = COMMANDS[ctx.invoked_subcommand or ""].extra
            if extra is None or (error.name or "").startswith("pellucid"):
                raise
            say(
                f"error: `pellucid {ctx.invoked_subcommand}` needs the package {error.name}: "
                f"install it with `pip install 'pellucid[{extra}]'`"
            )
        raise typer.Exit(1)


def _load(name: str):
    module, _, attribute = COMMANDS[name].app.partition(":")
    command = typer.main.get_command(getattr(import_module(module), attribute))
    command.name = name
    explain(command, name)
    return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, context_settings={"max_content_width": 100})


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pellucid {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Split a photo taken through glass into what is behind it and what is mirrored in it."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A file name may hold what the terminal's encoding cannot show.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # As an exception, so that files half written under a temporary name are removed.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        sys.exit(app(args))
    except OSError as error:  # a full disk behind standard output, a folder that went away, ...
        say(f"error: {error}: check rights and free space")
        sys.exit(1)
