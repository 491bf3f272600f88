"""`paperdesk audit`: who did what."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter

from paperdesk.cli.client import Desk
from paperdesk.cli.options import Every, HowMany, Shown
from paperdesk.cli.output import OLDER, clean, instant, say, screen, show_json, table


class Line(msgspec.Struct):
    """A line of the audit trail."""

    timestamp: str
    message: str
    action: str | None = None
    actor: str | None = None
    actor_id: str | None = None
    account_id: str | None = None
    subject: str | None = None
    details: Any = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Filters(Shown):
    """Which lines, and how to print them."""

    account: Annotated[str | None, Parameter(help="Only what was done to this account.")] = None
    actor: Annotated[
        Literal["local", "key", "webhook", "chat", "job", "command_line", "system"] | None,
        Parameter(help="Only what came through this door."),
    ] = None
    by: Annotated[str | None, Parameter(help="Only this key, webhook or job: its id.")] = None
    action: Annotated[
        str | None, Parameter(help="Only this, such as order.placed; or all of a kind: order.")
    ] = None
    subject: Annotated[str | None, Parameter(help="Only about this: the id of an order, …")] = None
    request: Annotated[str | None, Parameter(help="Only what this request did.")] = None
    level: Annotated[
        Literal["INFO", "WARNING", "ERROR"] | None, Parameter(help="Only of this level.")
    ] = None
    since: Annotated[str | None, Parameter(help="Not before this time.")] = None
    until: Annotated[str | None, Parameter(help="Before this time.")] = None
    job: Annotated[str | None, Parameter(help="The log of this job instead.")] = None


_ALL: Final = Filters()


def audit(*, limit: HowMany = 20, every: Every = False, filters: Filters = _ALL) -> None:
    """Show who did what, newest first."""
    with Desk(filters) as desk:
        answer = desk.rows(
            "/api/audit",
            limit=None if every else limit,
            account=filters.account,
            actor=filters.actor,
            actor_id=filters.by,
            action=filters.action,
            subject=filters.subject,
            request_id=filters.request,
            level=filters.level,
            since=filters.since,
            until=filters.until,
            job_id=filters.job,
        )
        if filters.json:
            show_json(answer.text)
            return
        lines = answer.read(list[Line])
    if not lines:
        say("No lines match.")
        return
    rows = table(
        "Time (UTC)",
        "Who",
        "Action",
        "Account",
        "~What",
        "About",
        drop=("About", "Account", "Time (UTC)"),
    )
    for line in lines:
        who = f"{line.actor or ''} {line.actor_id or ''}".strip()
        rows.add_row(
            instant(line.timestamp),
            clean(who),
            clean(line.action),
            clean(line.account_id),
            clean(line.message),
            clean(line.subject),
        )
    screen().print(rows)
    if answer.next_page:
        say(OLDER)
