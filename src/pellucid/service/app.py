"""The ASGI application: the page, the API, and the guard before both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from pellucid import __version__
from pellucid.separator import Separator
from pellucid.service import api
from pellucid.service.guard import Guard
from pellucid.service.problems import Problem, answer
from pellucid.service.service import Load, Service
from pellucid.service.settings import ServiceSettings

PAGE = Path(str(files("pellucid.service") / "page"))


def create_app(load: Load = Separator.load, settings: ServiceSettings | None = None) -> FastAPI:
    """Return the ASGI application.

    Args:
        load: gives the model; called once, while the server already answers /healthz.
        settings: its limits.
    """
    service = Service(load, settings or ServiceSettings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(service.start())
        yield
        loading.cancel()

    app = FastAPI(
        title="Pellucid",
        version=__version__,
        description="Split a photo taken through glass into what is behind it and what is "
        "mirrored in it. Nothing that is sent is kept.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, settings=service.settings)
    app.add_exception_handler(HTTPException, _explain)
    app.add_exception_handler(RequestValidationError, _explain_form)
    app.include_router(api.router)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    app.add_api_route("/", _index, include_in_schema=False)
    return app


def _index() -> FileResponse:
    return FileResponse(PAGE / "index.html")


async def _explain(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, HTTPException)
    return answer(problem)


async def _explain_form(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "the form"
    return answer(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {first['msg']}"))
