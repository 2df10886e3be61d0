"""One piece of work at a time, in a thread; a short queue before it; a way to give up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

from pellucid.service.problems import Problem

Result = TypeVar("Result")

LOOK_EVERY = 0.2
"""Seconds between looks whether the client is still there."""


class AbandonedError(Exception):
    """Nobody waits for this work any more."""


class Ticket:
    """Tells work in a thread whether it is still wanted."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Say that nobody waits any more."""
        self._cancelled.set()

    def check(self) -> None:
        """Go on, or raise `AbandonedError`."""
        if self._cancelled.is_set():
            raise AbandonedError


class Desk:
    """Serves one request at a time, so that memory does not grow with the number of clients."""

    def __init__(self, waiting: int, seconds: float) -> None:
        # One and the same thread: memory that one photo freed is there for the next.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._most = waiting + 1
        self._seconds = seconds
        self._tasks: set[asyncio.Future[Any]] = set()

    async def serve(
        self, work: Callable[[Ticket], Result], has_left: Callable[[], Awaitable[bool]]
    ) -> Result:
        """Do the work in its turn and return its result.

        Args:
            work: runs in a thread; asks its ticket between its steps.
            has_left: whether the client has gone.

        Raises:
            Problem: too many wait, it took too long, or the client left.
        """
        if len(self._tasks) >= self._most:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "many photos wait: try again later", 10)
        ticket = Ticket()
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._thread, self._in_turn, work, ticket)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            return await self._wait(task, has_left)
        finally:
            ticket.cancel()  # what still runs ends at its next look at the ticket

    @staticmethod
    def _in_turn(work: Callable[[Ticket], Result], ticket: Ticket) -> Result:
        ticket.check()
        return work(ticket)

    async def _wait(
        self, task: asyncio.Future[Result], has_left: Callable[[], Awaitable[bool]]
    ) -> Result:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY)
            if task.done():
                break
            if await has_left():
                raise Problem(HTTPStatus.BAD_REQUEST, "the client has left")
            if loop.time() > until:
                raise Problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"this was not done within {self._seconds:g} seconds: try a smaller photo",
                    10,
                )
        return task.result()

    def _forget(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that abandoned work is not reported as an error
