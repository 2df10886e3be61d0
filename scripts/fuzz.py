"""Fuzz what reads untrusted bytes, guided by the lines that run: pip install atheris.

    python scripts/fuzz.py                      each target for two minutes, one after the other
    python scripts/fuzz.py photo --seconds 600  one of them, for ten

Inputs that reach new lines are kept in a folder of this run, beginning with the files of
`tests/faults/corpus/TARGET`. An input that breaks something is written into that corpus, for good:
the quick tests read every file of it. Writes `results/robustness/fuzz.json`; the next run of
`scripts/robustness_doc.py` tells of it. atheris exists for Linux and macOS.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
RESULT = ROOT / "results" / "robustness" / "fuzz.json"
CORPUS = ROOT / "tests" / "faults" / "corpus"
TARGETS = ("photo", "words", "weights", "api")
LONGEST = 4096
"""Bytes of an input: longer ones find little more and take longer."""
PNG = b"\x89PNG\r\n\x1a\n"


def fuzz_here(name: str, arguments: list[str]) -> None:
    """Fuzz a target in this process, which ends with it."""
    import atheris  # pyright: ignore[reportMissingModuleSource]

    with atheris.instrument_imports(include=["pellucid"]):  # pyright: ignore[reportAttributeAccessIssue]
        from tests.faults import targets

        target = targets.TARGETS[name]
        with tempfile.TemporaryDirectory() as folder:
            for data in targets.seeds(name).values():  # also imports what is imported late
                target(data, Path(folder))

    work = Path(tempfile.mkdtemp())  # libFuzzer ends the process: nothing could remove it

    def once(data: bytes) -> None:
        target(data, work)

    def mutate(data: bytes, longest: int, _: int) -> bytes:
        changed = bytearray(atheris.Mutate(data, longest))
        if changed.startswith(PNG):
            targets.mend_sums(changed)
        return bytes(changed)

    atheris.Setup(["fuzz", *arguments], once, custom_mutator=mutate if name == "photo" else None)
    atheris.Fuzz()


def fuzz(name: str, seconds: int) -> dict[str, int | str]:
    """Fuzz a target in a process of its own and return what libFuzzer says at its end."""
    with tempfile.TemporaryDirectory() as folder:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            "-timeout=20",
            "-rss_limit_mb=3000",
            "-detect_leaks=0",
            "-print_final_stats=1",
            f"-artifact_prefix={CORPUS / name}/",
            folder,
            str(CORPUS / name),
        ]
        done = subprocess.run(
            [sys.executable, __file__, "--here", name, *options],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=ROOT,
        )
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
    return {"target": name, "seconds": seconds, "code": done.returncode} | numbers(done.stderr)


def numbers(said: str) -> dict[str, int]:
    """Read the figures of libFuzzer: inputs tried, places in the code reached, inputs kept."""
    tried = re.findall(r"number_of_executed_units: (\d+)", said)
    reached = re.findall(r"\bcov: (\d+)", said)
    kept = re.findall(r"corp: (\d+)", said)
    begun = re.findall(r"INITED cov: (\d+)", said)
    found = {"inputs": tried, "begun_at": begun, "reached": reached, "kept": kept}
    return {key: int(values[-1]) for key, values in found.items() if values}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    asked = parser.parse_args()
    if find_spec("atheris") is None:
        raise SystemExit("it needs atheris: pip install atheris (Linux and macOS)")
    before = json.loads(RESULT.read_text("utf-8"))["targets"] if RESULT.exists() else []
    runs = {run["target"]: run for run in before}
    for name in asked.targets or TARGETS:
        runs[name] = fuzz(name, asked.seconds)
        print(json.dumps(runs[name]), flush=True)
    found = {"atheris": version("atheris"), "targets": [runs[n] for n in TARGETS if n in runs]}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(any(run["code"] for run in runs.values()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        fuzz_here(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
