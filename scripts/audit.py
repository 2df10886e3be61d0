"""Look whether a locked dependency has a known vulnerability; tolerant of having no network.

    python scripts/audit.py

Runs `pip-audit` over `requirements-dev.lock`. Ends with code 1 only if it finds a vulnerability.
Without pip-audit, or without an answer, it says so and ends with code 0.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements-dev.lock"
PATIENCE = 180
"""Seconds to wait for an answer."""


def audit() -> tuple[str, int]:
    """Return what to say, and the exit code."""
    program = shutil.which("pip-audit")
    if program is None:
        return "not audited: pip-audit is not installed", 0
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    try:
        run = subprocess.run(
            [program, "-r", str(LOCK), *options], capture_output=True, text=True, timeout=PATIENCE
        )
        packages = json.loads(run.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return f"not audited: no answer within {PATIENCE} s", 0
    except (ValueError, KeyError):
        return "not audited: no answer from the data base of vulnerabilities", 0
    return verdict(packages)


def verdict(packages: list[dict]) -> tuple[str, int]:
    """Return what to say of pip-audit's list of packages, and the exit code."""
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return "not audited: the data base of vulnerabilities knows none of the packages", 0
    holes = [f"{p['name']}: {hole['id']}" for p in known for hole in p.get("vulns", [])]
    told = [*holes, f"{len(known)} of {len(packages)} packages audited, {len(holes)} holes"]
    return "\n".join(told), int(bool(holes))


if __name__ == "__main__":
    text, code = audit()
    print(text)
    sys.exit(code)
