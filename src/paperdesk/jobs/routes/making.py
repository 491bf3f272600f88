"""POST /api/jobs: a job from rows in JSON, or from a command."""

import asyncio
from typing import Any, Final

from fastapi import Request, Response

from paperdesk.api.codec import Reply, check_media_type, parse_json, slice_router
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_scope, check_whole_desk
from paperdesk.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    PriceUnavailable,
    UnknownOutcome,
    UnknownTicker,
)
from paperdesk.imports.model import Question, UnreadableFile
from paperdesk.jobs.kinds import GivenTask, Kinds, SpokenKind, TaskKind
from paperdesk.jobs.making import Asked, Made, made_before, sha256_of
from paperdesk.jobs.reading import read_as
from paperdesk.jobs.routes import uploading
from paperdesk.jobs.routes.made import make_and_tell
from paperdesk.jobs.schemas import JobAnswer, JobRequest
from paperdesk.models import Atomicity
from paperdesk.users.access import current_account

router = slice_router(prefix="/api/jobs", tags=["jobs"], changes=Scope.trade)

PATH: Final = "/api/jobs"
BODY_LIMIT: Final = 16 * 1024 * 1024
_REFUSED: Final = (
    NotFound,
    UnknownTicker,
    PriceUnavailable,
    IdempotencyMismatch,
    UnknownOutcome,
    Question,
    UnreadableFile,
)
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": JobRequest.model_json_schema()},
            uploading.MEDIA_TYPE: {"schema": uploading.form_schema()},
        },
    }
}


@router.post(
    "",
    status_code=201,
    response_model=JobAnswer,
    openapi_extra=documented(current_account, only_key) | _BODY,
    responses=replayable(201) | problems(*WITH_BODY, *_REFUSED),
)
async def create_job(request: Request) -> Response:
    """Make a job of rows, of a command that they are made of, or of a file.

    A row that cannot be understood is kept, and fails alone. In mode confirm the rows are estimated
    first, and booked when the job is started; in mode auto they are booked at once. With an
    idempotency key the request may be sent again: it gets the first job, as it is now. The rows of
    a broker's file are loaded after the answer: see `phase`.
    """
    account = await current_account(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == uploading.MEDIA_TYPE:
        return _reply(await uploading.make_of_file(request, account))
    check_media_type(request.headers.get("content-type"))
    body = await _read(await request.body())
    kinds: Kinds = request.app.state.job_kinds
    key = only_key(request)
    sha256 = None if key is None else await asyncio.to_thread(sha256_of, body)
    command = body.original_command
    asked = Asked(account, body, kinds.named(body.kind), command, key, sha256)
    if isinstance(asked.kind, TaskKind) and asked.kind.whole_desk:
        # What is done to the desk as a whole is for who may do that.
        check_scope(request.scope, Scope.admin)
        check_whole_desk(request.scope)
    earlier = await made_before(request.app.state.database, asked)
    if earlier is not None:
        # Before a command is looked at: it may mean something else by now.
        made = Made(earlier, replayed=True)
    else:
        made = await make_and_tell(request.app.state, asked, await _rows(asked, body.rows))
    return _reply(made)


def _reply(made: Made) -> Response:
    return Reply(
        JobAnswer.model_validate(made.job), 201, headers=replay_headers(replayed=made.replayed)
    )


async def _rows(asked: Asked, rows: list[Any] | None) -> list[Any]:
    """Return the rows of a job: those given, or those that its command means now."""
    kind, name = asked.kind, asked.terms.kind
    if isinstance(kind, GivenTask):
        if rows is None or len(rows) > kind.most_rows:
            raise InvalidRequest(f"rows: a {name} takes 1 to {kind.most_rows:,}.")
        if len(rows) > 1 and asked.terms.atomicity is Atomicity.all:
            raise InvalidRequest(f"atomicity: each row of a {name} is done by itself.")
    elif isinstance(kind, TaskKind):
        if rows is not None or asked.original_command is not None:
            raise InvalidRequest(f"rows: a {name} has none. Leave them out.")
        return [dict[str, Any]()]
    if rows is not None:
        return rows
    if asked.original_command is None:
        raise InvalidRequest("rows: give at least one, or an original_command.")
    if not isinstance(kind, SpokenKind):
        raise InvalidRequest(f"original_command: a {name} takes rows alone.")
    return await kind.spoken(asked.account_id, asked.original_command)


async def _read(body: bytes) -> JobRequest:
    """Return what a body asks for, read in a thread: it may be large."""
    return await asyncio.to_thread(lambda: read_as(JobRequest, parse_json(body), "body"))
