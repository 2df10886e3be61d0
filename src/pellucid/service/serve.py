"""The process that serves: a socket, and uvicorn behind it."""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import ASGIApp

from pellucid.errors import ConfigError
from pellucid.service.patience import PatientProtocol

CONNECTIONS = 100
"""Open at once; more are told to come back."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        ConfigError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()  # from here on a browser waits instead of being refused
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise ConfigError(f"{host}:{port}: {reason}: choose another --host or --port") from error
    return listener


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Return the server as `serve` runs it."""
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_level="warning",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until interrupted."""
    server_of(app).run(sockets=[listener])
