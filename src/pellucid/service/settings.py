"""What the service allows: who may ask, how much at once, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.errors import ConfigError
from pellucid.photo import ReadLimits

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class ServiceSettings:
    """Limits of one server. Sizes are checked before anything is decoded."""

    hosts: tuple[str, ...] = ()
    """Names under which browsers may reach it, besides those of this machine."""
    max_bytes: int = 100_000_000
    """Of a whole request."""
    max_pixels: int = 100_000_000
    """Of a photo."""
    max_text: int = 500
    """Characters of a description."""
    waiting: int = 16
    """Requests that may wait while one is worked on; more are sent away."""
    receive_seconds: float = 60
    """Time for a request to arrive whole."""
    answer_seconds: float = 120
    """Time for a request to be answered once it has arrived, its wait included."""

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_text", "receive_seconds", "answer_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: use a number above 0")
        if self.waiting < 0:
            raise ConfigError(f"waiting is {self.waiting}: use 0 or more")

    @property
    def known_hosts(self) -> frozenset[str]:
        """All names under which it may be reached, in lower case."""
        return frozenset(name.lower() for name in LOCAL_HOSTS + self.hosts)

    @property
    def read_limits(self) -> ReadLimits:
        """What the photo reader is told."""
        return ReadLimits(max_pixels=self.max_pixels, max_bytes=self.max_bytes)
