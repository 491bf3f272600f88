"""The task that makes the curves of large accounts before anybody asks for them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from sqlalchemy import select

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import NotFound
from paperdesk.models import UserProfile
from paperdesk.portfolio.performance.service import MOST_ENTRIES, Performance

SETTLING: Final = 5.0
"""Seconds after the start until the first round: the desk has more urgent things to do."""
INTERVAL: Final = 60.0
"""Seconds between two rounds."""
LARGE: Final = 1_000
"""Entries from which on an account is worth it: the curve of a smaller one is made while asked."""


GROWING: Final = 5_000
"""Entries within a round from which on a journal is being filled, as by an import."""


async def keep_warm(performance: Performance, database: Database, clock: Clock) -> None:
    """Keep the curves of the largest accounts, and of those that were asked for, as of now.

    A curve is made anew when the day ends or an action is booked: that takes seconds for a journal
    of many thousand entries, and who asks would wait. One that is being filled with what happened
    long ago would be made anew each time: it has to wait until that is over.
    """
    await clock.sleep(SETTLING)
    before: dict[str, int] | None = None
    while True:
        entries = await _entries(database)
        for account_id in dict.fromkeys([*_largest(entries), *performance.kept]):
            grew = 0 if before is None else entries.get(account_id, 0) - before.get(account_id, 0)
            if grew < GROWING:
                with suppress(NotFound):
                    await performance.make(account_id)
        before = entries
        await clock.sleep(INTERVAL)


async def _entries(database: Database) -> dict[str, int]:
    """Return how many entries each account has, the largest first."""
    query = select(UserProfile.id, UserProfile.head_sequence)
    async with database.read() as session:
        found = await session.execute(query.order_by(UserProfile.head_sequence.desc()))
        return {account_id: entries for account_id, entries in found}  # noqa: C416 - rows, typed


def _largest(entries: Mapping[str, int]) -> list[str]:
    """Return the accounts with the most entries, as many as are kept at once."""
    found: list[str] = []
    room = MOST_ENTRIES
    for account_id, count in entries.items():
        room -= count
        if room < 0 or count < LARGE:
            break
        found.append(account_id)
    return found
