"""Send many photos to `pellucid web` at once and watch its memory.

    python scripts/load_service.py [BURSTS] [BURST] [NAME]

By default 4 bursts of 50; the figures go to results/service/load.json.

Photos are the project's own example. An answer counts as lost if it is neither the layers nor a
503 that says when to come back; those are sent again until they are served.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx

ROOT = Path(__file__).parents[1]
PHOTO = (ROOT / "examples" / "window.jpg").read_bytes()
PATIENCE = 1200


def memory_mb(process: int) -> float:
    """Return the resident memory of a process (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(found(r"VmRSS:\s+(\d+)", status)) / 1024


def found(pattern: str, text: str) -> str:
    """Return what the pattern's brackets hold where it is first found."""
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"{pattern} is not in {text!r}")
    return match[1]


def send(client: httpx.Client, number: int) -> tuple[int, int]:
    """Send one photo until it is served; return how often it was sent away and the final status."""
    sent_away = 0
    while True:
        words = {"transmission": f"a room with {number} lamps"}
        answer = client.post("/api/separate", files={"photo": ("a.jpg", PHOTO)}, data=words)
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            return sent_away, answer.status_code
        sent_away += 1
        time.sleep(0.5 + 0.02 * number)


def main() -> None:
    bursts, burst, name = (*sys.argv[1:], *("4", "50", "load")[len(sys.argv) - 1 :])
    command = [sys.executable, "-m", "pellucid", "web", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        try:
            address = found(r"(http://\S+)", server.stderr.readline())
            result = measure(address, server.pid, int(bursts), int(burst))
        finally:
            server.terminate()
    target = ROOT / "results" / "service" / f"{name}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def measure(address: str, process: int, bursts: int, burst: int) -> dict:
    # A connection a request: one that idled may be closed just when it is used again.
    limits = httpx.Limits(max_connections=burst, max_keepalive_connections=0)
    memory, answers = [], []
    with (
        httpx.Client(base_url=address, timeout=PATIENCE, limits=limits) as client,
        ThreadPoolExecutor(burst) as pool,
    ):
        while client.get("/readyz").status_code != 200:
            time.sleep(0.1)
        for _ in range(bursts):
            answers += pool.map(lambda number: send(client, number), range(burst))
            memory.append(round(memory_mb(process), 1))
    return {
        "requests": bursts * burst,
        "at_once": burst,
        "answered": sum(status == 200 for _, status in answers),
        "lost": sum(status != 200 for _, status in answers),
        "sent_away_and_served_later": sum(away > 0 for away, _ in answers),
        "memory_mb_after_each_burst": memory,
        "growth_after_the_first_hundred": round(memory[-1] / memory[-(-100 // burst) - 1] - 1, 4),
    }


if __name__ == "__main__":
    main()
