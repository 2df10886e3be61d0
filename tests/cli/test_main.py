import subprocess
import sys

import pytest

from pellucid import __version__
from pellucid.cli import COMMANDS, Command, main

from .conftest import SOURCE_FIRST


def test_version(cli):
    result = cli("--version")
    assert (result.code, result.out) == (0, f"pellucid {__version__}\n".encode())


def test_help_names_every_command(cli):
    result = cli("--help")
    assert result.code == 0
    for name, command in COMMANDS.items():
        assert name in result.out.decode()
        assert command.help in result.out.decode()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(cli, name):
    result = cli(name, "--help")
    assert result.code == 0
    assert f"{name} [OPTIONS]" in result.out.decode()


def test_no_arguments_show_the_help(cli):
    assert "Commands" in (result := cli()).out.decode() + result.err
    assert result.code == 2


def test_unknown_command_is_wrong_use(cli):
    result = cli("seperate")
    assert result.code == 2
    assert "No such command 'seperate'" in result.err


@pytest.fixture
def mount(monkeypatch, tmp_path):
    """Mount a command whose module has the given text."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str, extra: str | None = None) -> None:
        (tmp_path / "mounted_command.py").write_text(text)
        sys.modules.pop("mounted_command", None)
        monkeypatch.setitem(COMMANDS, "mounted", Command("mounted_command:app", "A test.", extra))

    return write


APP = """
import typer
app = typer.Typer()
@app.command()
def mounted():
    {body}
"""


def test_a_command_is_mounted_by_one_line(cli, mount):
    mount(APP.format(body="print('it ran')"))
    assert "mounted" in cli("--help").out.decode()
    assert "mounted_command" not in sys.modules
    result = cli("mounted")
    assert (result.code, result.out) == (0, b"it ran\n")


def test_a_missing_extra_is_named(cli, mount):
    mount("import no_such_torch\n", extra="train")
    result = cli("mounted")
    assert result.code == 1
    assert result.err == (
        "error: `pellucid mounted` needs the package no_such_torch: "
        "install it with `pip install 'pellucid[train]'`\n"
    )


def test_a_missing_extra_is_named_when_it_is_imported_late(cli, mount):
    mount(APP.format(body="import no_such_torch"), extra="train")
    assert "pellucid[train]" in cli("mounted").err


def test_a_missing_module_of_our_own_is_no_missing_extra(cli, mount):
    mount("import pellucid.no_such_module\n", extra="train")
    with pytest.raises(ModuleNotFoundError):
        main(["mounted"])


def test_an_error_for_people_is_one_line(cli, mount):
    mount(
        "from pellucid.errors import DataError\n"
        + APP.format(body="raise DataError('set\\n\\x1b[0m is damaged')")
    )
    result = cli("mounted")
    assert (result.code, result.out) == (1, b"")
    assert result.err == "error: set\\n\\x1b[0m is damaged\n"


def test_ctrl_c_exits_130(cli, mount):
    mount(APP.format(body="raise KeyboardInterrupt"))
    result = cli("mounted")
    assert result.code == 130
    assert "Traceback" not in result.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom pellucid.cli import main\ntry:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print('heavy:', sorted({'numpy', 'onnxruntime', 'PIL', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=SOURCE_FIRST
    )
    assert b"heavy: []" in run.stdout


def test_it_runs_as_a_module():
    run = subprocess.run(
        [sys.executable, "-m", "pellucid", "--version"],
        capture_output=True,
        check=True,
        env=SOURCE_FIRST,
    )
    assert run.stdout.decode().split() == ["pellucid", __version__]
