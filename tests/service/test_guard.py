from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pellucid.service.guard import SECURITY_HEADERS, Guard
from pellucid.service.settings import ServiceSettings

from ..faults import fault


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body and answer with its length."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def ask(
    method: str = "POST",
    chunks: tuple[bytes, ...] = (b"",),
    pause: float = 0.0,
    settings: ServiceSettings | None = None,
    **headers: str,
) -> tuple[int, dict[str, str]]:
    """Send one request through the guard; returns status and headers of the answer."""
    sent: list[Any] = []
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"host": "localhost:7860"} | {k.replace("_", "-"): v for k, v in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw}
    guard = Guard(echo, settings or ServiceSettings(hosts=("Photos.example",), max_bytes=100))
    asyncio.run(guard(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("photos.EXAMPLE", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
        ("localhost:7860@evil", 421),
    ],
)
@fault("server", "Host of another name (DNS rebinding)", "refused: 421")
def test_only_known_names(host, status):
    assert ask(host=host)[0] == status


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"origin": "http://localhost:7860"}, 200),
        ("POST", {"origin": "http://localhost:1"}, 403),
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"origin": "http://localhost:7860]"}, 403),
        ("GET", {"origin": "http://["}, 200),
        ("POST", {"sec_fetch_site": "cross-site"}, 403),
        ("DELETE", {"origin": "http://evil.example"}, 403),
        ("GET", {"origin": "http://evil.example"}, 200),
    ],
)
@fault("server", "Origin of another site, null, no address at all, cross-site", "refused: 403")
def test_other_sites_cannot_act(method, headers, status):
    assert ask(method, **headers)[0] == status


@pytest.mark.parametrize("length", ["101", "9" * 30, "9" * 5_000, "-1", "many", "²"])
@fault("server", "a length over the limit, negative, no number", "refused before it is read: 413")
def test_declared_length_is_checked_before_reading(length):
    assert ask(content_length=length)[0] == 413


@fault("server", "more bytes than were declared", "stopped at the limit: 413")
def test_a_lying_client_is_stopped_at_the_limit():
    assert ask(chunks=(b"x" * 60, b"y" * 60), content_length="10")[0] == 413
    assert ask(chunks=(b"x" * 60, b"y" * 40))[0] == 200


@fault("server", "a body that comes too slowly", "stopped: 408")
def test_a_slow_client_is_stopped():
    patient = ServiceSettings(receive_seconds=0.05)
    assert ask(chunks=(b"x",) * 10, pause=0.02, settings=patient)[0] == 408


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
@fault("server", "answers without safe headers", "none: every answer has them")
def test_every_answer_has_safe_headers(host):
    _, headers = ask(host=host)
    assert {name.lower() for name in SECURITY_HEADERS} <= set(headers)
    assert "unsafe" not in headers["content-security-policy"]
