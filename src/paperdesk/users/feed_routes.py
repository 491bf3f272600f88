"""GET /api/stream/events: what happens on the account of whoever asks, as it happens."""

from typing import Annotated

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from paperdesk.api.codec import slice_router
from paperdesk.api.problems import problems
from paperdesk.api.streams import EventStream
from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.events.feed import Feed
from paperdesk.users.access import Account

router = slice_router(tags=["events"])


@router.get(
    "/stream/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-Sent Events of the account: order, trade, signal, job, chat, "
            "account, and reset where some are no longer known.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
    | problems(NotFound, InvalidRequest),
)
async def stream_events(
    request: Request,
    account: Account,
    last_event_id: Annotated[
        str | None,
        Header(description="Go on after the event with this id; what browsers send by themselves."),
    ] = None,
    asked: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            description="The same, where a header cannot be set.",
        ),
    ] = None,
) -> Response:
    """Follow everything that happens on an account: orders, trades, cash, signals, jobs, chat.

    Each event is told after it was committed. A client that is slow gets of several events of one
    thing the newest. After a `reset` it has to read again what it shows.
    """
    feed: Feed = request.app.state.feed
    return EventStream(feed.follow(account, last_event_id or asked))
