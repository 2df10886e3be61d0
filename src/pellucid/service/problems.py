"""What goes wrong with a request, as RFC 9457 tells it: application/problem+json."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """A request that cannot be served; `detail` is one sentence for a person."""

    def __init__(self, status: HTTPStatus, detail: str, retry_after: int | None = None) -> None:
        headers = None if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(status.value, detail, headers)


class ProblemBody(BaseModel):
    """The body of every answer that is not a success."""

    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["shop.jpg: the file is empty; was it copied to the end?"])


def answer(problem: HTTPException) -> JSONResponse:
    """Return a problem, ours or the framework's, as an HTTP response."""
    status = HTTPStatus(problem.status_code)
    body = ProblemBody(title=status.phrase, status=status.value, detail=str(problem.detail))
    return JSONResponse(body.model_dump(), status.value, problem.headers, MEDIA_TYPE)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """Return the OpenAPI entries of these answers."""
    schema = ProblemBody.model_json_schema()
    content = {MEDIA_TYPE: {"schema": schema}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}
