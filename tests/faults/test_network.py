"""Nothing is fetched, started or written elsewhere, at import and at the first run."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid import model

from ..cli.conftest import SOURCE_FIRST, files, write_png
from . import fault

AREA = "network and supply chain"

SEALED = """
import os, sys

def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        raise RuntimeError(f"the network was touched: {event}")
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        raise RuntimeError(f"a program was started: {event} {arguments}")
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if not str(arguments[0]).startswith((sys.argv[1], "/dev/")):
            raise RuntimeError(f"a file was written: {arguments[0]}")

sys.addaudithook(refuse)
"""

FIRST_RUN = """
from pellucid.cli import main
main(["separate", sys.argv[1] + "/photo.png", "-t", "a room", "-r", "the sky", "--json"])
"""

EVERY_MODULE = """
import importlib, pkgutil
import pellucid
for module in pkgutil.walk_packages(pellucid.__path__, "pellucid."):
    if module.name != "pellucid.__main__":
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            assert not (error.name or "").startswith("pellucid"), error
"""


def sealed(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Run code with no network, no other program, no writing outside `folder`, and no home."""
    kept = ("PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
    env = {name: SOURCE_FIRST[name] for name in kept if name in SOURCE_FIRST}
    command = [sys.executable, "-B", "-c", SEALED + code, str(folder)]
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd=folder)


@fault(AREA, "the first run, without network, HOME or a terminal", "nothing else written")
def test_the_first_run(tmp_path):
    write_png(tmp_path / "photo.png")
    run = sealed(FIRST_RUN, tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["words"]["transmission"]
    assert len(files(tmp_path)) == 3


@fault(AREA, "import of every module, without network", "no socket, no program, no file written")
@pytest.mark.slow
def test_every_import(tmp_path):
    run = sealed(EVERY_MODULE, tmp_path)
    assert run.returncode == 0, run.stderr
    assert not files(tmp_path)


@fault(AREA, "the seal of these tests", "a socket, a program and a file are noticed by it")
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import os; os.system('true')",
        "open('/tmp/pellucid-sealed', 'w')",
    ],
)
def test_the_seal_holds(tmp_path, code):
    run = sealed(code, tmp_path)
    assert run.returncode == 1
    assert "RuntimeError" in run.stderr


@fault(AREA, "shipped weights against their manifest", "every file has the SHA-256 it promises")
def test_shipped_weights_are_what_the_manifest_promises():
    weights = model.SHIPPED_WEIGHTS
    manifest = json.loads(weights.with_suffix(".json").read_bytes())
    for name, promised in manifest["files"].items():
        content = weights.with_name(name).read_bytes()
        assert len(content) == promised["bytes"]
        assert hashlib.sha256(content).hexdigest() == promised["sha256"]


ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-dev.lock"


def requirements() -> list[str]:
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@fault(
    AREA, "the locked environment of developers", "a hash a package, versions as checked, no host"
)
@pytest.mark.skipif(not LOCK.exists(), reason="not a checkout")
def test_the_lock():
    checked = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    for line in requirements():
        name, version = re.match(r"([\w.-]+)==([\w.+!]+)", line).groups()
        assert "--hash=sha256:" in line, name
        assert checked.get(name.lower(), version) == version, name
    assert "://" not in LOCK.read_text(encoding="utf-8")


@fault(AREA, "an audit of the lock, with holes, without network, without pip-audit", "code 1, 0, 0")
@pytest.mark.skipif(not LOCK.exists(), reason="not a checkout")
def test_the_audit(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import audit

    fine, hole = {"name": "a", "vulns": []}, {"name": "b", "vulns": [{"id": "CVE-1"}]}
    assert audit.verdict([fine, hole]) == ("b: CVE-1\n2 of 2 packages audited, 1 holes", 1)
    assert audit.verdict([fine, {"name": "c", "skip_reason": "unknown"}])[1] == 0
    assert audit.verdict([{"name": "c", "skip_reason": "unknown"}])[0].startswith("not audited")
    monkeypatch.setattr(audit.shutil, "which", lambda *_, **__: None)
    assert audit.audit() == ("not audited: pip-audit is not installed", 0)
    monkeypatch.setattr(audit.shutil, "which", lambda *_, **__: sys.executable)
    assert audit.audit()[0].startswith("not audited: no answer")
