"""Whether the desk takes changes: it stops when a proof of its books fails, until it is reopened.

The reason is kept in `desk_meta`, so it outlives a restart and every process sees it.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Receive, Scope, Send

from paperdesk.api.problems import ProblemReply
from paperdesk.api.scopes import SAFE_METHODS
from paperdesk.audit.actor import SYSTEM
from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.failures import is_unavailable
from paperdesk.errors import PaperdeskError, ReadOnly
from paperdesk.models import DeskMeta, LogLevel

REASON: Final = "read_only"
"""The fact in `desk_meta` that says why the desk is read-only; absent while it is open."""

ALWAYS_TAKEN: Final = frozenset({"/api/verify", "/api/reopen"})
"""What may be posted to a desk that is read-only."""

_LOOK_EVERY: Final = timedelta(seconds=1)

log = structlog.get_logger()


class Standing:
    """Open, or read-only for a reason. What another process decides counts within a second."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._reason: str | None = None
        self._looked_at: datetime | None = None
        self._turn = asyncio.Lock()
        self._is_unwritten = False

    async def reason(self) -> str | None:
        """Return a sentence on why the desk is read-only; None while it is open.

        It waits only where it is time to look. Who comes meanwhile waits too, and all go on in
        their order: a sale may follow what pays for it.
        """
        if self._is_due(self._clock.now()):
            async with self._turn:
                if self._is_due(now := self._clock.now()):
                    await self._look()
                    self._looked_at = now
        return self._reason

    async def is_open(self) -> bool:
        """Say whether the desk takes changes."""
        return await self.reason() is None

    async def check(self) -> None:
        """Raise ReadOnly, unless the desk is open."""
        if reason := await self.reason():
            raise ReadOnly(
                f"{reason} Nothing was changed, and reading goes on. `paperdesk verify` shows what "
                "is wrong, `paperdesk reopen` takes changes again."
            )

    async def close(self, problems: list[dict[str, Any]]) -> None:
        """Make the desk read-only because of what a proof found."""
        now = self._clock.now()
        if not self._is_unwritten:
            # Set before anything is read or written: it must hold though neither can be done.
            found = f"{len(problems)} problem(s) in the books"
            self._reason = f"The desk is read-only since {now:%Y-%m-%d %H:%M} UTC: {found}."
            self._is_unwritten = True
        reason = self._reason
        try:
            # A look that is under way must not put what it found in place of this.
            async with self._turn, self._database.write() as session:
                stored = await session.scalar(_STORED)
                if stored is None:
                    log.error("desk.read_only", problems=problems[:10])
                    session.add(DeskMeta(key=REASON, value=reason))
                    after = {"problems": problems}
                    line = Line(Action.desk_closed, str(reason), after=after, level=LogLevel.ERROR)
                    # Whoever asked for the proof: the desk closes itself.
                    note(session, line, now, actor=SYSTEM)
        except IntegrityError:
            # Another process found it at the same time: what that one wrote is read.
            self._is_unwritten = False
            self._looked_at = None
        except (SQLAlchemyError, OSError, PaperdeskError):
            log.exception("desk.reason_not_written", problems=problems[:10])
        else:
            self._reason = stored or reason
            self._is_unwritten = False

    async def open(self, session: AsyncSession) -> None:
        """Take changes again, from the commit of the session on."""
        await session.execute(delete(DeskMeta).where(DeskMeta.key == REASON))

    def opened(self) -> None:
        """Note that the session of `open` was committed."""
        self._reason = None
        self._is_unwritten = False

    async def _look(self) -> None:
        try:
            async with self._database.read() as session:
                stored = await session.scalar(_STORED)
        except DBAPIError as error:
            if is_unavailable(error):
                raise
            log.exception("desk.reason_not_read")
            stored = "The desk is read-only: why, cannot be read from the table desk_meta."
        if not self._is_unwritten:
            self._reason = stored

    def _is_due(self, now: datetime) -> bool:
        if self._is_unwritten:
            return False
        if self._looked_at is None:
            return True
        # A SQLite desk is one process, which knows what it decided.
        return self._database.dialect != "sqlite" and abs(now - self._looked_at) >= _LOOK_EVERY


_STORED: Final = select(DeskMeta.value).where(DeskMeta.key == REASON)


class ReadOnlyGuard:
    """Middleware that refuses changes while the desk is read-only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with ReadOnly."""
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and scope["path"] not in ALWAYS_TAKEN
        ):
            standing: Standing = scope["app"].state.standing
            try:
                await standing.check()
            except ReadOnly as refusal:
                await ProblemReply(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)
