"""GET /api/jobs/{id}/stream: how far a job is, as it goes on."""

from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from paperdesk.api.codec import slice_router
from paperdesk.api.problems import problems
from paperdesk.api.streams import EventStream
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.events.feed import Feed
from paperdesk.jobs.following import follow
from paperdesk.jobs.queries import job_of
from paperdesk.jobs.routes.jobs import JobId
from paperdesk.users.access import Account

router = slice_router(prefix="/api/jobs", tags=["jobs"])

_EVENTS: Final = {
    "description": "Server-Sent Events: the job, with its rate and the seconds left",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get(
    "/{job_id}/stream",
    response_class=StreamingResponse,
    responses={200: _EVENTS} | problems(InvalidRequest, NotFound),
)
async def stream_job(request: Request, account: Account, job_id: JobId) -> Response:
    """Follow a job, whichever process works on it: told when it changes, at most twice a second.

    The stream ends with the job.
    """
    state = request.app.state
    database: Database = state.database
    feed: Feed = state.feed
    async with database.read() as session:
        await job_of(session, account, job_id)
    return EventStream(follow(database, job_id, state.market.clock, lambda: feed.closed))
