"""The Dockerfile without a container engine: linted, and its steps as far as they can be tried."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_what_is_copied_exists_and_is_let_through():
    allowed = (ROOT / ".dockerignore").read_text("utf-8").split()
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for name in " ".join(sources).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in allowed


def test_it_runs_as_nobody_in_particular():
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001"]
    assert DOCKERFILE.index("USER") < DOCKERFILE.index("ENTRYPOINT")


@pytest.mark.slow
def test_its_command_serves_and_its_health_check_sees_it(tmp_path):
    entry = json.loads(re.search(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)[1])
    check = json.loads(re.search(r"HEALTHCHECK .* CMD (.+)$", DOCKERFILE, re.MULTILINE)[1])
    check = [sys.executable, "-c", check[2].replace(":7860", ":17860")]
    assert subprocess.run(check, capture_output=True).returncode
    command = [sys.executable, "-m", *entry, "--port", "17860"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path, text=True) as server:
        try:
            server.stderr.readline()
            for _ in range(60):
                time.sleep(0.5)
                if subprocess.run(check, capture_output=True).returncode == 0:
                    return
            pytest.fail("the health check never saw the server")
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("hadolint") is None, reason="needs hadolint")
def test_the_linter_is_content():
    subprocess.run(["hadolint", ROOT / "Dockerfile"], check=True)
