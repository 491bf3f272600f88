"""The routes under /api/keys."""

from typing import Annotated, Final

from fastapi import Path, Request, Response
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.ids import PathId
from paperdesk.api.pages import DEFAULT_LIMIT, PAGED, Cursor, Limit, id_cursor, next_link, page
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, principal_of
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, InvalidState, NotFound, UnknownOutcome
from paperdesk.models import ApiKey
from paperdesk.users.access import Access
from paperdesk.users.keys import keys_of, make_key, revoke_key, rotate_key
from paperdesk.users.schemas import (
    KeyAnswer,
    KeyRequest,
    MadeKeyAnswer,
    RotateRequest,
    closing_notice,
)

router = slice_router(prefix="/api/keys", tags=["keys"], reads=Scope.admin, changes=Scope.admin)

AS_USUAL: Final = RotateRequest()
_NOT_KEPT: Final = {"Cache-Control": "no-store"}

_Id = Annotated[PathId, Path(max_length=36, description="The key's id, or the key id in it")]


@router.get("", response_model=list[KeyAnswer], responses=PAGED | problems(InvalidRequest))
async def read_keys(
    request: Request, session: Db, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List the keys, also those that were revoked, the last made first; never their secrets.

    The Link header leads to the next page.
    """
    query = keys_of(principal_of(request.scope)).order_by(ApiKey.id.desc())
    if (before := id_cursor(cursor)) is not None:
        query = query.where(ApiKey.id < before)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [KeyAnswer.of(row) for row in shown],
        headers=next_link(request, last.id if last else None),
    )


@router.post(
    "",
    status_code=201,
    response_model=MadeKeyAnswer,
    responses=problems(*WITH_BODY, NotFound, UnknownOutcome),
)
async def create_key(request: Request, body: KeyRequest) -> Response:
    """Make a key; its secret is shown this once. The first key closes a desk that was open."""
    database: Database = request.app.state.database
    access: Access = request.app.state.access
    was_open = await access.is_open()
    async with database.write() as session:
        is_first = was_open and not await any_key(session)
        made = await make_key(
            session,
            principal_of(request.scope),
            name=body.name,
            scopes=body.scopes,
            account_id=body.account_id,
            expires_at=body.expires_at,
            now=request.app.state.desk.clock.now(),
        )
    access.keys_changed()
    notice = closing_notice(body.scopes) if is_first else None
    return Reply(MadeKeyAnswer.of(made, notice), 201, headers=_NOT_KEPT)


@router.delete(
    "/{key_id}", status_code=204, responses=problems(InvalidRequest, NotFound, UnknownOutcome)
)
async def delete_key(request: Request, key_id: _Id) -> None:
    """Revoke a key for ever, at once. Doing it again changes nothing."""
    database: Database = request.app.state.database
    access: Access = request.app.state.access
    now = request.app.state.desk.clock.now()
    async with database.write() as session:
        await revoke_key(session, principal_of(request.scope), key_id, now)
    access.keys_changed()


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    response_model=MadeKeyAnswer,
    responses=problems(*WITH_BODY, NotFound, InvalidState, UnknownOutcome),
)
async def replace_key(request: Request, key_id: _Id, body: RotateRequest = AS_USUAL) -> Response:
    """Make a key that may do the same; the old one opens for a day more, or as long as is said."""
    database: Database = request.app.state.database
    access: Access = request.app.state.access
    now = request.app.state.desk.clock.now()
    async with database.write() as session:
        made = await rotate_key(session, principal_of(request.scope), key_id, now, body.grace)
    access.keys_changed()
    return Reply(MadeKeyAnswer.of(made), 201, headers=_NOT_KEPT)


async def any_key(session: AsyncSession) -> bool:
    """Say whether a key was ever made, live or not."""
    return bool(await session.scalar(select(exists().where(ApiKey.id.is_not(None)))))
