"""The kill switch: while it is on, no signal trades, and those that wait are refused.

There is one for the desk and one for each account, facts in `desk_meta` that outlive a restart and
that every process sees in the transaction that books; a webhook has its own in `enabled`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.db.prepared import Prepared
from paperdesk.db.types import format_utc
from paperdesk.models import Base, DeskMeta

_META: Final[Table] = Base.metadata.tables["desk_meta"]

KEY: Final = "killswitch"
"""The fact of the whole desk; that of an account has its id behind a colon."""


_ALL: Final = Prepared(
    select(_META.c.key, _META.c.value).where(
        _META.c.key >= bindparam("first"), _META.c.key < bindparam("last")
    ),
    ("first", "last"),
)
_SPAN: Final = (KEY, f"{KEY};")
"""From the fact of the desk to behind those of accounts: `;` follows on the colon."""


def key_of(account_id: str | None) -> str:
    """Return the name of the fact for an account; None: for the desk."""
    return KEY if account_id is None else f"{KEY}:{account_id}"


async def turn(
    session: AsyncSession, account_id: str | None, at: datetime, reason: str | None, *, on: bool
) -> bool:
    """Turn a switch on or off; say whether that changed it. One that is on keeps its reason.

    The primary key decides, not a read: of several at once one changes it.
    """
    name = key_of(account_id)
    if on:
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        value = json.dumps({"since": format_utc(at), "reason": reason})
        statement = insert(DeskMeta).values(key=name, value=value).on_conflict_do_nothing()
    else:
        statement = delete(DeskMeta).where(DeskMeta.key == name)
    changed = await session.scalar(statement.returning(DeskMeta.key))
    return changed is not None


def read(connection: Connection) -> dict[str, str]:
    """Return the facts of all switches that are on."""
    return dict(_ALL.rows(connection, _SPAN))


def state_of(fact: DeskMeta) -> dict[str, Any]:
    """Return what a fact says: of which account, None for the desk, since when and why."""
    return {"account_id": fact.key.partition(":")[2] or None, **json.loads(fact.value)}


class Stoppable(Protocol):
    """What is asked of a webhook, or of a row that has its columns."""

    user_id: Any
    enabled: Any
    deleted_at: Any


def why_stopped(switches: Mapping[str, str], webhook: Stoppable) -> str | None:
    """Say why a webhook's signals do not trade; None: they do. `switches` are the facts."""
    if webhook.deleted_at is not None:
        return "The webhook was deleted."
    for name, whose in ((KEY, "the desk"), (key_of(webhook.user_id), "the account")):
        if (value := switches.get(name)) is not None:
            fact = json.loads(value)
            why = f": {fact['reason']}" if fact["reason"] else ""
            return f"The kill switch of {whose} is on since {fact['since']}{why}."
    if not webhook.enabled:
        return "The webhook is off."
    return None
