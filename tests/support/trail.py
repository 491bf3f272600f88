"""The audit trail, as tests read it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from paperdesk.audit.actor import Actor, ActorKind, acting, request_id
from paperdesk.db.engine import Database
from paperdesk.models import AuditLog

SOMEBODY = Actor(ActorKind.local)


@contextmanager
def asked_by(actor: Actor = SOMEBODY, request: str | None = "request-1") -> Generator[None]:
    """Act as somebody, in a request."""
    who, which = acting.set(actor), request_id.set(request)
    try:
        yield
    finally:
        acting.reset(who)
        request_id.reset(which)


async def trail(database: Database, since: AuditLog | None = None) -> list[AuditLog]:
    """Return the lines that belong to no job, in their order, after one or all of them."""
    query = select(AuditLog).where(AuditLog.job_id.is_(None)).order_by(AuditLog.id)
    if since is not None:
        query = query.where(AuditLog.id > since.id)
    async with database.read() as session:
        return list(await session.scalars(query))


async def actions(database: Database, since: AuditLog | None = None) -> list[str | None]:
    """Return what was done, in its order."""
    return [line.action for line in await trail(database, since)]


def said(line: AuditLog) -> dict[str, Any]:
    """Return what a line says of before and after."""
    assert line.details is not None, line.message
    return line.details
