"""What the documents point at exists: links, files, commands and their options."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer
from click.testing import CliRunner

from pellucid.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("integrations/**/*.md")]
)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(path):
    text = CODE.sub("", path.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_the_tour_names_files_that_exist():
    files = [path for folder in ("src", "scripts") for path in (ROOT / folder).rglob("*.*")]
    text = (ROOT / "docs" / "tour.md").read_text("utf-8")
    named = re.findall(r"`(?:\.\./)?([\w/]+\.(?:py|onnx))`", text)
    assert len(named) > 90
    assert [name for name in named if not any(path.match(name) for path in files)] == []


def commands() -> list[tuple[str, str]]:
    """Every `pellucid ...` line in a code block or between backticks, with its document."""
    found = set()
    for path in DOCUMENTS:
        for code in CODE.findall(path.read_text("utf-8")):
            code = code.strip("`").replace("\\\n", " ")
            for line in re.findall(r"^(?:\S*/)?pellucid ([a-z].*)$", code, re.MULTILINE):
                found.add((path.name, line.partition(" #")[0].strip()))
    return sorted(found)


@cache
def help_of(command: tuple[str, ...]) -> str | None:
    """The help of a command, or None where it needs an extra that is not installed."""
    result = CliRunner().invoke(
        typer.main.get_command(app), [*command, "--help"], terminal_width=200
    )
    return None if "needs the package" in result.output else result.output


@pytest.mark.parametrize(("document", "line"), commands())
def test_commands_and_their_options_exist(document, line):
    words = [word for word in line.split() if not word.startswith("[")]
    command = tuple(words[:2] if words[0] == "attention" else words[:1])
    command = tuple(word for word in command if re.fullmatch(r"[a-z]+", word))
    help = help_of(command)
    if help is None:
        pytest.skip("needs an extra")
    assert "No such command" not in help
    for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", line):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", help), f"{option} in {line!r}"


def scripts() -> list[tuple[str, str]]:
    """Every `python scripts/...` line of the documents, with its document."""
    found = set()
    for path in DOCUMENTS:
        for code in CODE.findall(path.read_text("utf-8")):
            for line in re.findall(
                r"^(?:\S*/)?python (scripts/.*)$", code.strip("`"), re.MULTILINE
            ):
                found.add((path.name, line.partition(" #")[0].strip()))
    return sorted(found)


@pytest.mark.parametrize(("document", "line"), scripts())
def test_scripts_and_their_options_exist(document, line):
    script, *words = line.split()
    source = (ROOT / script).read_text("utf-8")
    for option in (word.partition("=")[0] for word in words if word.startswith("-")):
        assert f'"{option}"' in source, f"{option} of {script}"


def test_a_part_of_a_document_is_filled_and_no_other(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    marked = import_module("marked")
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n", "utf-8")
    marked.fill(page, {"x": "\\1 new\n"})
    filled = "a\n<!-- x -->\n\\1 new\n<!-- end -->\nb\n<!-- y -->\n<!-- end -->\n"
    assert page.read_text("utf-8") == filled
    with pytest.raises(SystemExit, match="z"):
        marked.fill(page, {"y": "lost", "z": "nowhere"})
    assert page.read_text("utf-8") == filled


def test_the_site_has_every_document():
    navigation = re.findall(r": ([a-z-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(navigation) == sorted(path.name for path in ROOT.glob("docs/*.md"))


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path):
    pytest.importorskip("mkdocs", reason="needs mkdocs and mkdocstrings")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path]
    subprocess.run(build, cwd=ROOT, check=True)
