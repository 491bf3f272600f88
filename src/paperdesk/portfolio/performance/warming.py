"""The task that makes the curves of large accounts before anybody asks for them."""

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


async def keep_warm(performance: Performance, database: Database, clock: Clock) -> None:
    """Keep the curves of the largest accounts, and of those that were asked for, as of now.

    A curve is made anew when the day ends or an action is booked: that takes seconds for a journal
    of many thousand entries, and who asks would wait.
    """
    await clock.sleep(SETTLING)
    while True:
        for account_id in dict.fromkeys([*await _largest(database), *performance.kept]):
            with suppress(NotFound):
                await performance.make(account_id)
        await clock.sleep(INTERVAL)


async def _largest(database: Database) -> list[str]:
    """Return the accounts with the most entries, as many as are kept at once."""
    query = (
        select(UserProfile.id, UserProfile.head_sequence)
        .where(UserProfile.head_sequence >= LARGE)
        .order_by(UserProfile.head_sequence.desc())
    )
    found: list[str] = []
    room = MOST_ENTRIES
    async with database.read() as session:
        for account_id, entries in await session.execute(query):
            room -= entries
            if room < 0:
                break
            found.append(account_id)
    return found
