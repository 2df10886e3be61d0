"""The service as a process, under clients that are slow, silent, rude or many."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import fault

pytest.importorskip("uvicorn", reason="needs the extra web")
httpx = pytest.importorskip("httpx2")

from pellucid.service.patience import PatientProtocol  # noqa: E402
from pellucid.service.serve import listen, server_of  # noqa: E402

from ..cli.conftest import SOURCE_FIRST  # noqa: E402
from ..service.conftest import jpeg  # noqa: E402


async def hello(scope, receive, send) -> None:
    """Answer every request once its body is in."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def serving(app) -> Iterator[int]:
    """Serve in a thread, as `pellucid web` does; give the port."""
    listener = listen("127.0.0.1", 0)
    server = server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"


@fault("server", "silent connections, half a head, half a second head", "closed after 15 seconds")
@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"\r\nhi" + HEAD])
def test_a_head_that_never_ends(monkeypatch, sent):
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.3)
    with serving(hello) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(sent)
        answered = b""
        while received := client.recv(1_000):
            answered += received
    assert answered.count(b"200 OK") == (1 if b"\r\nhi" in sent else 0)


@fault("server", "a body that comes slowly, within its time", "is waited for")
def test_a_body_may_take_longer_than_a_head(monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.3)
    with serving(hello) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(HEAD + b"\r\nh")
        time.sleep(0.8)
        client.sendall(b"i")
        assert b"200 OK" in client.recv(1_000)


@contextmanager
def process() -> Iterator[tuple[str, int]]:
    """Run `pellucid web`; give its address and the number of its process."""
    command = [sys.executable, "-m", "pellucid", "web", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=SOURCE_FIRST) as run:
        assert run.stderr is not None
        found = re.search(r"http://\S+", run.stderr.readline())
        assert found
        try:
            for _ in range(600):
                with_model = httpx.get(f"{found[0]}/readyz", timeout=60)
                if with_model.status_code == 200:
                    break
                time.sleep(0.1)
            yield found[0], run.pid
        finally:
            run.terminate()


def resident(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@fault(
    "server",
    "200 requests in bursts of 50",
    "each is answered, 200 or 503 with a time to come back; memory grows by less than a tenth",
)
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bursts_leave_memory_flat():
    photo = jpeg(320, 240)
    fields = {"transmission": "a room", "reflection": "the sky"}
    answers: Counter[int] = Counter()
    memory = []
    with process() as (address, pid), httpx.Client(timeout=300) as client:

        def ask(_: int) -> None:
            answer = client.post(
                f"{address}/api/separate", files={"photo": ("a.jpg", photo)}, data=fields
            )
            assert answer.status_code in (200, 503)
            assert answer.status_code == 200 or int(answer.headers["retry-after"]) > 0
            answers[answer.status_code] += 1

        with ThreadPoolExecutor(50) as clients:
            for _ in range(4):
                list(clients.map(ask, range(50)))
                memory.append(resident(pid))
    assert answers.total() == 200
    assert answers[200] >= 40  # of each burst one is at work and sixteen may wait
    assert memory[-1] < 1.1 * memory[0], memory


@fault("server", "uploads broken off, 30 of them", "the next request is answered")
@pytest.mark.slow
def test_aborted_uploads():
    with process() as (address, _):
        host, port = address.removeprefix("http://").split(":")
        head = f"POST /api/separate HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 90000\r\n"
        for number in range(30):
            with socket.create_connection((host, int(port)), 10) as client:
                client.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n")
                client.sendall(b"\r\n--x\r\n" + bytes(number * 1_000))
        files = {"photo": ("a.jpg", jpeg())}
        assert httpx.post(f"{address}/api/separate", files=files, timeout=120).status_code == 200
