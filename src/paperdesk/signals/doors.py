"""Which webhook a token opens. Only the SHA-256 of a token is kept, and looked up by it."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.models import Webhook

_KNOWN_FOR: Final = timedelta(seconds=1)
"""So long a change that another process made may go unnoticed."""
_MOST_KNOWN: Final = 1_000
_LONGEST_TOKEN: Final = 128


def new_token() -> str:
    """Return a new token: 32 random bytes, in letters that a URL can have."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Doors:
    """The webhooks of a desk by their tokens, as they were at most a second ago."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[datetime, Webhook]] = {}
        self._changes = 0

    async def webhook_of(self, tokens: Iterable[str]) -> Webhook | None:
        """Return the webhook that the first fitting one of some tokens opens; None: none does."""
        for token in tokens:
            if 0 < len(token) <= _LONGEST_TOKEN and token.isprintable():
                found = await self._by_hash(token_hash(token))
                if found is not None:
                    return found
        return None

    def forget(self) -> None:
        """Look at each webhook anew: one was changed."""
        self._changes += 1
        self._known.clear()

    async def _by_hash(self, hashed: str) -> Webhook | None:
        now = self._clock.now()
        known = self._known.get(hashed)
        if known is not None:
            if abs(now - known[0]) < _KNOWN_FOR:
                return known[1]
            # One looks anew; the others go on with what was last seen.
            self._known[hashed] = (now, known[1])
        query = select(Webhook).where(Webhook.token_hash == hashed, Webhook.deleted_at.is_(None))
        while True:
            changes, now = self._changes, self._clock.now()
            async with self._database.read() as session:
                found = await session.scalar(query)
            if changes == self._changes:
                break
            # One was changed meanwhile: what was read may be from before.
        self._known.pop(hashed, None)
        if found is not None:
            # What does not exist is not kept: strangers could fill it.
            if len(self._known) >= _MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[hashed] = (now, found)
        return found
