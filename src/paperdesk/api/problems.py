"""Errors as RFC 9457 problem documents, with a stable `code` and the older clients' `error`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from paperdesk.api.codec import Answer, encode
from paperdesk.errors import (
    BodyTooLarge,
    Busy,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PaperdeskError,
    Unauthenticated,
    UnsupportedMediaType,
)

MEDIA_TYPE = "application/problem+json"
_LONGEST_LOCATION = 80
_MOST_PROBLEMS = 5

log = structlog.get_logger()


class Problem(Answer):
    """What went wrong, and what to do about it."""

    type: str = Field(examples=["/docs#INSUFFICIENT_CASH"])
    title: str = Field(examples=["Not enough cash"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["Buying 10 AAPL costs $1,902.50 but $120.00 is free."])
    code: str = Field(examples=["INSUFFICIENT_CASH"])
    error: str = Field(examples=["Buying 10 AAPL costs $1,902.50 but $120.00 is free."])


class ProblemReply(Response):
    """A problem as a response."""

    media_type = MEDIA_TYPE

    def __init__(self, error: PaperdeskError, headers: Mapping[str, str] | None = None) -> None:
        detail = printable(str(error))
        problem = {
            "type": f"/docs#{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": detail,
            "code": error.code,
            "error": detail,
        }
        extra = dict(headers or {})
        if error.retry_after is not None:
            extra["Retry-After"] = str(error.retry_after)
        if isinstance(error, Unauthenticated):
            extra["WWW-Authenticate"] = "Bearer"
        super().__init__(encode(problem), error.status, extra)


def problems(*errors: type[PaperdeskError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI `responses` that document the errors a route can give, one entry a status."""
    statuses: dict[int | str, list[type[PaperdeskError]]] = {}
    for error in errors:
        statuses.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": " or ".join(sorted(f"{e.title} ({e.code})" for e in kinds)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, kinds in statuses.items()
    }


EVERYWHERE = (Unauthenticated, Forbidden, Busy)
"""What every route of the desk can answer; apps pass it to FastAPI's `responses`."""

WITH_INPUT = (InvalidRequest,)
WITH_BODY = (InvalidRequest, BodyTooLarge, UnsupportedMediaType)


def printable(text: str) -> str:
    """Return text that can always be encoded and shown: no surrogates, no control characters."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in safe)


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""

    async def on_paperdesk_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, PaperdeskError)  # noqa: S101 - registered for this class alone
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("request.failed", code=error.code, detail=str(error))
        return ProblemReply(error)

    async def on_invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return ProblemReply(InvalidRequest(describe(error)))

    async def on_http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        # FastAPI turns whatever fails while it reads a body into a 400 of its own.
        if isinstance(error.__cause__, PaperdeskError):
            return ProblemReply(error.__cause__)
        return ProblemReply(_translated(error), error.headers)

    async def on_busy(_request: Request, error: Exception) -> Response:
        log.warning("database.busy", error=str(error).partition("\n")[0])
        return ProblemReply(Busy("The database is busy. Nothing was changed; try again shortly."))

    async def on_unexpected(_request: Request, error: Exception) -> Response:
        log.error("request.crashed", exc_info=error)
        return ProblemReply(
            PaperdeskError("The desk met an error of its own; its log has the details.")
        )

    app.add_exception_handler(PaperdeskError, on_paperdesk_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(PoolTimeout, on_busy)
    app.add_exception_handler(OperationalError, on_busy)
    app.add_exception_handler(Exception, on_unexpected)


def describe(error: RequestValidationError) -> str:
    """Return a sentence that names each field in trouble. Never repeats the value that was sent."""
    parts: list[str] = []
    for problem in error.errors()[:_MOST_PROBLEMS]:
        steps = [str(step) for step in problem["loc"]]
        where = ".".join(steps[1:]) or steps[0]
        message = str(problem["msg"]).removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "is not a field of this request; leave it out"
        elif problem["type"] == "missing":
            message = "is missing; send it"
        parts.append(f"{where[:_LONGEST_LOCATION]}: {message[:1].lower()}{message[1:]}")
    return "; ".join(parts) + "."


def _translated(error: HTTPException) -> PaperdeskError:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing at this path. /docs lists what there is.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(
                "This path does not take that method. /docs lists those it does."
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge("The body is over the limit. Send less.")
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return InvalidRequest(str(error.detail))
        case _:
            return PaperdeskError(str(error.detail))
