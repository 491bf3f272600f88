"""GET /api/audit."""

from typing import Annotated

from fastapi import Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Bound,
    Cursor,
    Limit,
    id_cursor,
    next_link,
    page,
)
from paperdesk.api.problems import problems
from paperdesk.api.scopes import Scope, principal_of
from paperdesk.audit.actor import ActorKind
from paperdesk.audit.queries import Wanted, lines_of
from paperdesk.audit.schemas import AuditLine
from paperdesk.errors import InvalidRequest
from paperdesk.models import AuditLog, LogLevel

router = slice_router(tags=["audit"], reads=Scope.admin)

_Text = Annotated[Label | None, Query()]
_Action = Annotated[
    Label | None,
    Query(description="One of them, or with a dot at its end all that begin so: `order.`"),
]
_Account = Annotated[Label | None, Query(description="The account that was changed.")]
_Job = Annotated[Label | None, Query(description="The log of this job, in place of the desk's.")]


@router.get("/audit", response_model=list[AuditLine], responses=PAGED | problems(InvalidRequest))
async def read_audit(
    request: Request,
    session: Db,
    account: _Account = None,
    actor: ActorKind | None = None,
    actor_id: _Text = None,
    action: _Action = None,
    subject: _Text = None,
    request_id: _Text = None,
    level: LogLevel | None = None,
    since: Bound = None,
    until: Bound = None,
    job_id: _Job = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List who did what, of all accounts, the last first. The Link header leads to the next page.

    A key of one account sees that account's lines alone.
    """
    wanted = Wanted(
        account_id=account,
        actor=actor and actor.value,
        actor_id=actor_id,
        action=action,
        subject=subject,
        request_id=request_id,
        level=level,
        since=since,
        until=until,
        job_id=job_id,
        before_id=id_cursor(cursor),
    )
    query = lines_of(wanted, principal_of(request.scope).account_id)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [_shown(row) for row in shown], headers=next_link(request, last.id if last else None)
    )


def _shown(line: AuditLog) -> AuditLine:
    return AuditLine(
        id=line.id,
        timestamp=line.timestamp,
        level=line.level,
        event_type=line.event_type,
        action=line.action,
        account_id=line.user_id,
        actor=line.actor,
        actor_id=line.actor_id,
        subject=line.subject,
        request_id=line.request_id,
        message=line.message,
        details=line.details,
        job_id=line.job_id,
    )
