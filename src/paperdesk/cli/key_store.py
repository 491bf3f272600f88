"""Keys in the database itself, for whoever sits at the desk's machine: no key is needed there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.codec import Reply
from paperdesk.api.pages import DEFAULT_LIMIT
from paperdesk.api.scopes import ANYBODY, Scope
from paperdesk.audit.actor import Actor, ActorKind, acting
from paperdesk.bootstrap import open_database
from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.clock import SystemClock, utc_now
from paperdesk.models import ApiKey
from paperdesk.users.keys import keys_of, make_key, revoke_key, rotate_key
from paperdesk.users.routes import any_key
from paperdesk.users.schemas import KeyAnswer, KeyRequest, MadeKeyAnswer, RotateRequest

SAY_SCOPES: Final = "--scopes: say what the key may do: read, trade, webhook or admin."
COMMAND_LINE: Final = Actor(ActorKind.command_line)

_Work = Callable[[AsyncSession], Awaitable[Any]]


def create(url: str, body: dict[str, Any]) -> bytes:
    """Make a key. Without scopes the first one gets admin; others have to say what they may do."""

    async def work(session: AsyncSession) -> MadeKeyAnswer:
        scopes = body["scopes"]
        if not scopes:
            if await any_key(session):
                raise CommandFailed(SAY_SCOPES, Exit.USAGE)
            scopes = [Scope.admin]
        request = _request({**body, "scopes": scopes})
        made = await make_key(
            session,
            ANYBODY,
            name=request.name,
            scopes=request.scopes,
            account_id=request.account_id,
            expires_at=request.expires_at,
            now=utc_now(),
        )
        return MadeKeyAnswer.of(made)

    return _done(url, work)


def listed(url: str, limit: int | None = DEFAULT_LIMIT) -> bytes:
    """Return the keys, the last made first."""

    async def work(session: AsyncSession) -> list[KeyAnswer]:
        query = keys_of(ANYBODY).order_by(ApiKey.id.desc()).limit(limit)
        return [KeyAnswer.of(row) for row in await session.scalars(query)]

    return _done(url, work)


def revoke(url: str, key: str) -> None:
    """Revoke a key."""

    async def work(session: AsyncSession) -> None:
        await revoke_key(session, ANYBODY, key, utc_now())

    _done(url, work)


def rotate(url: str, key: str, grace_seconds: int | None) -> bytes:
    """Rotate a key."""
    request = (
        RotateRequest() if grace_seconds is None else RotateRequest(grace_seconds=grace_seconds)
    )

    async def work(session: AsyncSession) -> MadeKeyAnswer:
        return MadeKeyAnswer.of(await rotate_key(session, ANYBODY, key, utc_now(), request.grace))

    return _done(url, work)


def _request(body: dict[str, Any]) -> KeyRequest:
    try:
        return KeyRequest.model_validate(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in problem["loc"])
        raise CommandFailed(f"{where}: {problem['msg']}.", Exit.USAGE) from None


def _done(url: str, work: _Work) -> bytes:
    async def run() -> bytes:
        database = await open_database(url, SystemClock())
        try:
            async with database.write() as session:
                answer = await work(session)
        finally:
            await database.close()
        return bytes(Reply(answer).body)

    before = acting.set(COMMAND_LINE)
    try:
        return asyncio.run(run())
    finally:
        acting.reset(before)
