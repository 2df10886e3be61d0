"""What a measured time depends on besides the program, without the machine's name."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from pellucid.bands import usable_threads

PACKAGES = ("numpy", "onnxruntime", "pillow")


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that do the work."""
    return {package: metadata.version(package) for package in PACKAGES}


@dataclass(frozen=True)
class Machine:
    """The machine and the versions of a measurement.

    Attributes:
        processor: its own name.
        threads: that this process may use, at most 8.
        memory_gb: of the machine, in billions of bytes, None where the system does not tell.
        load: processes that wanted to run in the minute before, None where unknown.
        system: e.g. "Linux x86_64".
    """

    processor: str
    threads: int
    memory_gb: float | None
    load: float | None
    system: str
    python: str = field(default_factory=platform.python_version)
    packages: dict[str, str] = field(default_factory=package_versions)


def describe_machine() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(
        processor=_processor(),
        threads=usable_threads(),
        memory_gb=_memory_gb(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.machine()}",
    )


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None
