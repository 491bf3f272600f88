"""Paging by key: lists are plain arrays, and `Link: <…>; rel="next"` (RFC 8288) leads on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import AfterValidator, AwareDatetime

from paperdesk.errors import InvalidRequest
from paperdesk.ids import may_be_an_id

Limit = Annotated[
    int, Query(ge=1, le=500, description="How many rows at the most.", examples=[100])
]
Cursor = Annotated[
    str | None,
    Query(max_length=128, description="Where the page begins; comes from the Link header."),
]
DEFAULT_LIMIT = 100
PAGED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'Leads to the next page, as rel="next"; absent on the last one.',
                "schema": {"type": "string"},
            }
        }
    }
}
"""What the OpenAPI document says of a list's answer; goes into a route's `responses`."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def on_the_calendar(moment: datetime) -> datetime:
    """Return an instant that no arithmetic pushes off Python's calendar, nor a database's."""
    return max(_EARLIEST, min(moment, LATEST)).astimezone(UTC)


Bound = Annotated[
    Annotated[AwareDatetime, AfterValidator(on_the_calendar)] | None,
    Query(description="RFC 3339 with a zone.", examples=["2026-11-22T00:00:00Z"]),
]
"""An end of a span of time, as a query parameter."""

Row = TypeVar("Row")


def check_span(start: datetime | None, end: datetime | None) -> None:
    """Raise InvalidRequest for a span of time that ends before it begins."""
    if start and end and start >= end:
        raise InvalidRequest("start must be before end.")


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """Return the header that leads to the next page, none when there is no further one."""
    if cursor is None:
        return {}
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    target = f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
    return {"Link": f'<{target}>; rel="next"'}


def page(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """Split what a query for limit + 1 rows gave: the page, and its last row if there are more."""
    return rows[:limit], rows[limit - 1] if len(rows) > limit else None


def id_cursor(cursor: str | None) -> str | None:
    """Return the id in a cursor. Raises InvalidRequest if it holds none."""
    if cursor is None or may_be_an_id(cursor):
        return cursor
    raise InvalidRequest("cursor: use the one from the Link header of the page before.")


def number_cursor(cursor: str | None) -> int | None:
    """Return the number in a cursor. Raises InvalidRequest if it holds none."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):  # noqa: PLR2004 - below 2**63
        raise InvalidRequest("cursor: use the one from the Link header of the page before.")
    return int(cursor)
