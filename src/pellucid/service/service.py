"""What all requests share: the model, loaded once, and the desk before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request

from pellucid.errors import PellucidError
from pellucid.separator import Separator
from pellucid.service.desk import Desk, Ticket
from pellucid.service.problems import Problem
from pellucid.service.settings import ServiceSettings
from pellucid.service.work import Studio

Result = TypeVar("Result")
Load = Callable[[], Separator]


class Service:
    """One model and its queue."""

    def __init__(self, load: Load, settings: ServiceSettings) -> None:
        self.settings = settings
        self._load = load
        self._desk = Desk(settings.waiting, settings.answer_seconds)
        self._studio: Studio | None = None

    async def start(self) -> None:
        """Load the model, in a thread."""
        separator = await asyncio.to_thread(self._load)
        self._studio = Studio(separator, self.settings.read_limits)

    def studio(self) -> Studio:
        """Return what does the work, once the model is loaded.

        Raises:
            Problem: it is not loaded yet.
        """
        if self._studio is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the model is being loaded", 2)
        return self._studio

    async def serve(self, request: Request, work: Callable[[Studio, Ticket], Result]) -> Result:
        """Do work for a request, in its turn.

        Raises:
            Problem: it cannot be done; the detail says why.
        """
        try:
            return await self._desk.serve(partial(work, self.studio()), request.is_disconnected)
        except PellucidError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
