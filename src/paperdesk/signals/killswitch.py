"""The kill switch: while it is on, no signal trades, and those that wait are refused.

There is one for the desk and one for each account, facts in `desk_meta` that outlive a restart and
that every process sees in the transaction that books; a webhook has its own in `enabled`.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.db.prepared import Prepared
from paperdesk.db.types import format_utc
from paperdesk.errors import Forbidden
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


class Authority(StrEnum):
    """By whose authority a switch was turned on: nobody with less turns it off."""

    desk = "desk"
    """The administrator of the whole desk."""
    account = "account"
    """Whoever may act on the account."""


_BY_ACCOUNT: Final = json.dumps({"by": Authority.account})[1:-1]
"""A text in the facts of those that an account turned on alone: JSON escapes quotes in reasons."""


def key_of(account_id: str | None) -> str:
    """Return the name of the fact for an account; None: for the desk."""
    return KEY if account_id is None else f"{KEY}:{account_id}"


async def turn_on(
    session: AsyncSession, account_id: str | None, by: Authority, at: datetime, reason: str | None
) -> bool:
    """Turn a switch on; say whether that changed it. One that is on keeps its reason.

    Unless the account turned it on, and now the desk does: from then on it is the desk's.
    The primary key decides, not a read: of several at once one changes it.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    value = json.dumps({"since": format_utc(at), "reason": reason, "by": by})
    statement = insert(DeskMeta).values(key=key_of(account_id), value=value)
    if by is Authority.desk:
        statement = statement.on_conflict_do_update(
            index_elements=[DeskMeta.key],
            set_={"value": statement.excluded.value},
            where=DeskMeta.value.contains(_BY_ACCOUNT),
        )
    else:
        statement = statement.on_conflict_do_nothing()
    return await session.scalar(statement.returning(DeskMeta.key)) is not None


async def turn_off(session: AsyncSession, account_id: str | None, by: Authority) -> bool:
    """Turn a switch off; say whether that changed it. Raises Forbidden for one of the desk."""
    its_own = DeskMeta.key == key_of(account_id)
    statement = delete(DeskMeta).where(its_own)
    if by is Authority.account:
        statement = statement.where(DeskMeta.value.contains(_BY_ACCOUNT))
    if await session.scalar(statement.returning(DeskMeta.key)) is not None:
        return True
    if await session.scalar(select(DeskMeta.key).where(its_own)) is not None:
        raise Forbidden(
            "The administrator of the desk turned this kill switch on. Turning it off needs a key "
            "with the scope admin that is not limited to an account."
        )
    return False


def read(connection: Connection) -> dict[str, str]:
    """Return the facts of all switches that are on."""
    return dict(_ALL.rows(connection, _SPAN))


def state_of(fact: DeskMeta) -> dict[str, Any]:
    """Return what a fact says: of which account, None for the desk, since when, why, by whom."""
    of = {"account_id": fact.key.partition(":")[2] or None, "by": Authority.desk}
    return of | json.loads(fact.value)


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
