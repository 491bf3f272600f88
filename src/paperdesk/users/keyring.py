"""The keys that were asked for lately, so that a request costs no look into the database.

What is kept is at most half a second old: within a second every process knows of a key that was
revoked. What this process itself changes it looks up anew at once.
"""

import asyncio
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select, update

from paperdesk.api.scopes import Principal, implied
from paperdesk.audit.actor import Actor, ActorKind
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.models import ApiKey
from paperdesk.users.credentials import Credential

FRESH: Final = timedelta(seconds=0.5)
"""How long is trusted what was read."""

MOST_KEYS: Final = 4096
"""Keys that are kept at a time."""

_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_DUMMY: Final = "0" * 64
_PATIENCE: Final = 2.0
"""Seconds that a stop waits for the last uses to be noted."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as the database had it a moment ago."""

    secret_hash: str = field(repr=False)
    expires_at: datetime | None
    revoked_at: datetime | None
    principal: Principal
    actor: Actor

    def is_live(self, now: datetime) -> bool:
        """Say whether it opens: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def opens(known: KnownKey | None, credential: Credential, now: datetime) -> bool:
    """Say whether a credential is that of a live key; as long in coming for an unknown one."""
    expected = known.secret_hash if known else _DUMMY
    is_right = hmac.compare_digest(expected.encode(), credential.secret_hash.encode())
    return is_right and known is not None and known.is_live(now)


class Keyring:
    """Finds keys by their key id."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[KnownKey, datetime]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._changes = 0
        self._noted: dict[str, datetime] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def find(self, key_id: str) -> KnownKey | None:
        """Return the key of that key id, None where there is none."""
        if found := self._fresh(key_id):
            return found
        turn = self._turns.setdefault(key_id, asyncio.Lock())
        try:
            # Who comes while one looks waits for what it finds.
            async with turn:
                if found := self._fresh(key_id):
                    return found
                return await self._look(key_id)
        finally:
            if not turn.locked():
                self._turns.pop(key_id, None)

    def forget(self) -> None:
        """Look up every key anew: one of them was changed, and that is committed."""
        self._changes += 1
        self._known.clear()

    def note_use(self, known: KnownKey, now: datetime) -> None:
        """Note in the background that a key was used, at most once a minute."""
        key = known.principal.key
        assert key is not None  # noqa: S101 - a known key has a row
        last = self._noted.get(key)
        if last is not None and abs(now - last) < _USE_NOTED_EVERY:
            return
        self._noted[key] = now
        task = asyncio.create_task(self._note_use(key, now), name="paperdesk-key-use")
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def close(self) -> None:
        """Wait for what is being noted, but not for long."""
        if self._noting:
            _, late = await asyncio.wait(set(self._noting), timeout=_PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _fresh(self, key_id: str) -> KnownKey | None:
        found = self._known.get(key_id)
        if found is not None and abs(self._clock.now() - found[1]) < FRESH:
            return found[0]
        return None

    async def _look(self, key_id: str) -> KnownKey | None:
        while True:
            changes, asked_at = self._changes, self._clock.now()
            async with self._database.read() as session:
                row = await session.scalar(select(ApiKey).where(ApiKey.key_id == key_id))
            if changes == self._changes:
                break
        if row is None:
            self._known.pop(key_id, None)
            return None
        known = _known(row)
        if key_id not in self._known and len(self._known) >= MOST_KEYS:
            self._known.pop(next(iter(self._known)))
        self._known[key_id] = (known, asked_at)
        return known

    async def _note_use(self, key: str, now: datetime) -> None:
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - _USE_NOTED_EVERY)
        try:
            async with self._database.write() as session:
                await session.execute(
                    update(ApiKey).where(ApiKey.id == key, stale).values(last_used_at=now)
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, no request waits for this
            log.warning("key.use_not_noted", error=type(error).__name__)


def _known(row: ApiKey) -> KnownKey:
    return KnownKey(
        row.secret_hash,
        row.expires_at,
        row.revoked_at,
        Principal(implied(row.scopes), row.user_id, row.id, row.key_id, row.name),
        Actor(ActorKind.key, row.id, row.name),
    )
