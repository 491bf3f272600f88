"""Errors as RFC 9457 problem documents, with a stable `code` and the older clients' `error`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperdesk.api.codec import Answer, encode
from paperdesk.db.failures import is_unavailable
from paperdesk.errors import (
    BodyTooLarge,
    Busy,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PaperdeskError,
    ReadOnly,
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
        extra = dict(headers or {})
        if error.retry_after is not None:
            extra["Retry-After"] = str(error.retry_after)
        if isinstance(error, Unauthenticated):
            extra["WWW-Authenticate"] = "Bearer"
        super().__init__(encode(problem_of(error).model_dump()), error.status, extra)


def problem_of(error: PaperdeskError) -> Problem:
    """Return the problem document of an error."""
    detail = printable(str(error))
    return Problem(
        type=f"/docs#{error.code}",
        title=error.title,
        status=error.status,
        detail=detail,
        code=error.code,
        error=detail,
    )


_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which asking again may help.",
        "schema": {"type": "integer"},
    }
}


def problems(*errors: type[PaperdeskError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI `responses` that document the errors a route can give, one entry a status."""
    statuses: dict[int | str, list[type[PaperdeskError]]] = {}
    for error in errors:
        statuses.setdefault(error.status, []).append(error)
    return {
        status: {
            "description": " or ".join(sorted(f"{e.title} ({e.code})" for e in kinds)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            "headers": _RETRY_AFTER if any(e.retry_after for e in kinds) else {},
        }
        for status, kinds in statuses.items()
    }


EVERYWHERE = (Forbidden, Busy, ReadOnly)
"""What every route of the desk can answer."""

WITH_BODY = (InvalidRequest, BodyTooLarge, UnsupportedMediaType)


def printable(text: str) -> str:
    """Return text that can always be encoded and shown: no surrogates, no control characters."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in safe)


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""

    async def on_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, PaperdeskError | RequestValidationError)  # noqa: S101 - registered for these alone
        return answer_to(error)

    async def on_http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        # FastAPI turns whatever fails while it reads a body into a 400 of its own.
        if isinstance(error.__cause__, PaperdeskError):
            return ProblemReply(error.__cause__)
        return ProblemReply(_translated(error), error.headers)

    app.add_exception_handler(PaperdeskError, on_error)
    app.add_exception_handler(RequestValidationError, on_error)
    app.add_exception_handler(HTTPException, on_http_error)


def answer_to(error: PaperdeskError | RequestValidationError) -> Response:
    """Return the problem to answer an error with, and log it where the desk is the trouble."""
    if isinstance(error, RequestValidationError):
        return ProblemReply(InvalidRequest(describe(error)))
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request.failed", code=error.code, detail=str(error))
    return ProblemReply(error)


class CrashBarrier:
    """Middleware that answers what nothing below it foresaw, and logs it once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer Busy where the database is away, else an error of our own."""
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            await ProblemReply(unforeseen(error))(scope, receive, send)


def unforeseen(error: Exception) -> PaperdeskError:
    """Return, and log, what to tell about an error that nobody thought of."""
    if is_unavailable(error):
        log.warning("database.unavailable", error=str(error).partition("\n")[0])
        return Busy("The database cannot be reached or is busy. Nothing was changed; try again.")
    log.error("request.crashed", exc_info=error)
    return PaperdeskError("The desk met an error of its own; its log has the details.")


_IN_OUR_WORDS = {
    "missing": "is missing; send it",
    "extra_forbidden": "is not a field of this request; leave it out",
    "string_too_long": "must have at most {max_length} characters; shorten it",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "string": "must be text",
    "too_long": "must have at most {max_length} items; send less at once",
    "too_short": "must have at least {min_length} item",
    "list": "must be a list",
    "enum": "must be {expected}",
    "literal": "must be {expected}",
    "int": "must be a whole number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "model": "must be a JSON object",
    "datetime": "must be a time with a zone, such as 2026-11-22T00:00:00Z",
    "timezone": "must be a time with a zone, such as 2026-11-22T00:00:00Z",
}
"""What to say of pydantic's error types, and of those that begin with the word."""


def describe(error: RequestValidationError) -> str:
    """Return a sentence that names each field in trouble. Never repeats the value that was sent."""
    parts: list[str] = []
    for problem in error.errors()[:_MOST_PROBLEMS]:
        steps = [str(step) for step in problem["loc"]]
        where = ".".join(steps[1:]) or steps[0]
        parts.append(f"{where[:_LONGEST_LOCATION]}: {_trouble(problem)}")
    return "; ".join(parts) + "."


def _trouble(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with one field and what it must be instead."""
    kind: str = problem["type"]
    if isinstance(problem.get("input"), str) and f"string_{kind}" in _IN_OUR_WORDS:
        kind = f"string_{kind}"
    words = _IN_OUR_WORDS.get(kind) or _IN_OUR_WORDS.get(kind.partition("_")[0])
    if words:
        return words.format_map(problem.get("ctx", {}))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}"


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
