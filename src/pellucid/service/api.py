"""The HTTP API: a photo and words in, previews or whole layers out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from starlette.responses import Response

from pellucid.layer_files import Format, Layers
from pellucid.service.previews import Preview
from pellucid.service.problems import Problem, documented
from pellucid.service.service import Service
from pellucid.service.work import Job, LayerFile, Wish, zipped

PROBLEMS = documented(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

LAYER_FILES = {
    "description": "The layers: a zip archive, or a part each if multipart/mixed is accepted.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("application/zip", "multipart/mixed")
    },
}

router = APIRouter()


async def service_of(request: Request) -> Service:
    """Return what all requests share (async, so that no thread is started for it)."""
    return request.app.state.service


Shared = Annotated[Service, Depends(service_of)]


async def read_job(
    service: Shared,
    photo: Annotated[UploadFile, File(description="JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF, BMP")],
    transmission: Annotated[
        str, Form(description="Words for what is behind the glass.", examples=["a dress"])
    ] = "",
    reflection: Annotated[
        str, Form(description="Words for what is mirrored in it.", examples=["houses"])
    ] = "",
) -> Job:
    """Take the parts of a form that every request has."""
    limit = service.settings.max_text
    for name, text in (("transmission", transmission), ("reflection", reflection)):
        if len(text) > limit:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{name}: {len(text)} characters are over the limit of {limit}",
            )
    return Job(photo.file, photo.filename or "photo", transmission, reflection)


Asked = Annotated[Job, Depends(read_job)]


@router.get("/healthz", tags=["health"])
async def healthz() -> dict[str, str]:
    """Tell that the server answers."""
    return {"status": "alive"}


@router.get("/readyz", tags=["health"], responses=documented(HTTPStatus.SERVICE_UNAVAILABLE))
async def readyz(service: Shared) -> dict[str, str]:
    """Tell whether the model is loaded, so that photos can be sent."""
    service.studio()  # raises a Problem until then
    return {"status": "ready"}


@router.post("/api/preview", tags=["separation"], responses=PROBLEMS)
async def preview(request: Request, service: Shared, job: Asked) -> Preview:
    """Separate a photo at preview size, and tell where each word acted."""
    return await service.serve(request, lambda studio, ticket: studio.preview(job, ticket))


@router.post(
    "/api/separate",
    tags=["separation"],
    response_class=Response,
    responses=PROBLEMS | {200: LAYER_FILES},
)
async def separate(
    request: Request,
    service: Shared,
    job: Asked,
    layers: Annotated[Layers, Form()] = Layers.BOTH,
    strength: Annotated[
        float,
        Form(ge=-100, le=100, description="100: no reflection, 0: the photo, -100: only it."),
    ] = 100,
    format: Annotated[Format | None, Form(description="Default: the photo's own.")] = None,
    keep_metadata: Annotated[bool, Form(description="Carry over camera, time and place.")] = False,
    mask: Annotated[
        UploadFile | None, File(description="Of the photo's shape, white where it is to act.")
    ] = None,
) -> Response:
    """Separate a photo at its own size."""
    wish = Wish(layers, strength, format, keep_metadata, None if mask is None else mask.file)
    made = await service.serve(request, lambda studio, ticket: studio.layers(job, wish, ticket))
    if "multipart/mixed" in request.headers.get("accept", ""):
        return _multipart(made)
    return Response(zipped(made), media_type="application/zip")


def _multipart(made: list[LayerFile]) -> Response:
    boundary = uuid4().hex
    parts = [
        f"--{boundary}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Disposition: attachment; filename*=UTF-8''{quote(file.name)}\r\n\r\n".encode()
        + file.content
        + b"\r\n"
        for file in made
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Response(body, media_type=f"multipart/mixed; boundary={boundary}")
