"""The door: what a request must look like before any of it is parsed.

Host and Origin are checked because a page on the internet can make a browser talk to this machine
(DNS rebinding, cross-site requests); size and time because a client can lie about both.
"""

from __future__ import annotations

import time
from asyncio import wait_for
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders

from pellucid.service.problems import Problem, answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pellucid.service.settings import ServiceSettings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware that refuses at the door, and sends every answer with safe headers."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on if it may come in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._settings)
        reply = _SafeAnswer(send)
        try:
            self._check(scope["method"], Headers(scope=scope))
            await self._app(scope, body.receive, reply.send)
        except Problem as problem:
            if not reply.begun:
                await answer(problem)(scope, body.receive, reply.send)

    def _check(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if _name(host) not in self._settings.known_hosts:
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this server is not known by that name: start it with --allow-host NAME",
            )
        foreign = "origin" in headers and _address(headers["origin"]) != host.lower()
        if method not in SAFE_METHODS and (
            foreign or headers.get("sec-fetch-site") == "cross-site"
        ):
            raise Problem(HTTPStatus.FORBIDDEN, "requests from other sites' pages are refused")
        length = headers.get("content-length", "0")
        # Python reads no number of thousands of digits, so their count is looked at first.
        if not length.isdecimal() or len(length) > 30 or int(length) > self._settings.max_bytes:
            raise _too_large(self._settings.max_bytes)


class _Body:
    """A request's body, counted and timed while it arrives."""

    def __init__(self, receive: Receive, settings: ServiceSettings) -> None:
        self._receive = receive
        self._settings = settings
        self._arrived = 0
        self._until = time.monotonic() + settings.receive_seconds
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:  # from here on only the client's leaving is awaited
            return await self._receive()
        try:
            message = await wait_for(self._receive(), self._until - time.monotonic())
        except TimeoutError as error:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the request did not arrive within {self._settings.receive_seconds:g} seconds",
            ) from error
        self._arrived += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._arrived > self._settings.max_bytes:
            raise _too_large(self._settings.max_bytes)
        return message


class _SafeAnswer:
    """Adds the security headers to an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _name(host: str) -> str:
    """Return the name in a Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _address(origin: str) -> str | None:
    """Return host and port of an origin in lower case, None where it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that are no IPv6 address
        return None


def _too_large(limit: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is over the limit of {limit:,} bytes"
    )
