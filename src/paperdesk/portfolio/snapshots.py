"""Snapshots: what each account was worth, every half minute and after its trades."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.db.prepared import Prepared, numbered, padded
from paperdesk.ids import new_id
from paperdesk.ledger.lane.books import Batch
from paperdesk.ledger.views import AccountView, read_view
from paperdesk.models import PortfolioSnapshot, UserProfile
from paperdesk.portfolio.statement import Statements
from paperdesk.runtime.leader import Leadership

INTERVAL = 30.0
LARGEST_TOTAL = Decimal(9_000_000_000_000)
"""US dollars with 6 places end near 9.2 x 10^12 in a 64-bit column."""
_SETTLING = 2.0
"""Seconds after the start until the first prices have come."""
_ACCOUNTS_AT_ONCE = 100
"""Trades and prices wait for the transaction that writes the snapshots."""
_AT_MOST_ONE_A = timedelta(seconds=1)


_VALUES = ["total_value", "cash_balance", "positions_value", "incomplete", "recorded_at"]
_REWRITE = Prepared(
    update(PortfolioSnapshot).where(PortfolioSnapshot.id == bindparam("snapshot_id")),
    [*_VALUES, "snapshot_id"],
)
_WRITE = Prepared(insert(PortfolioSnapshot), [*_VALUES, "id", "user_id"])

log = structlog.get_logger()


class SnapshotRecorder:
    """Writes snapshots. At most one a second per account: the last within it wins."""

    def __init__(
        self,
        statements: Statements,
        clock: Clock,
        is_open: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._statements = statements
        self._clock = clock
        self._is_open = is_open

    def after_batch(self, connection: Connection, batch: Batch) -> None:
        """Write a snapshot of each account that a batch traded on, within its transaction."""
        self.record(connection, batch.traded)

    def record(self, connection: Connection, accounts: Collection[AccountView]) -> None:
        """Write a snapshot of each account, within the connection's transaction."""
        if not accounts:
            return
        now = self._clock.now()
        recent = _recent(connection, [account.id for account in accounts], now)
        rewritten: list[tuple[Any, ...]] = []
        written: list[tuple[Any, ...]] = []
        for account in accounts:
            statement = self._statements.of(account)
            worth = statement.positions_value
            total = account.cash_balance + worth
            if total > LARGEST_TOTAL:
                # Never an error: it would take back the trades of the batch.
                log.warning("snapshot.too_large", account=account.id)
                continue
            values = (total, account.cash_balance, worth, bool(statement.unpriced), now)
            if account.id in recent:
                rewritten.append((*values, recent[account.id]))
            else:
                written.append((*values, new_id(), account.id))
        if rewritten:
            _REWRITE.run(connection, rewritten)
        if written:
            _WRITE.run(connection, written)

    async def run(self, leadership: Leadership) -> None:
        """Write a snapshot of every account, every half minute, for as long as this one leads."""
        await self._clock.sleep(_SETTLING)
        while True:
            if self._is_open is None or await self._is_open():
                await self._record_all(leadership)
            await self._clock.sleep(INTERVAL)

    async def _record_all(self, leadership: Leadership) -> None:
        async with leadership.write() as session:
            accounts = (await session.scalars(select(UserProfile.id))).all()
        for first in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
            some = sorted(accounts)[first : first + _ACCOUNTS_AT_ONCE]
            async with leadership.write() as session:
                await session.run_sync(self._record_some, some)

    def _record_some(self, session: Session, accounts: Sequence[str]) -> None:
        # Locked and read in the transaction that writes, so that no trade comes in between.
        locked = session.scalars(
            select(UserProfile.id)
            .where(UserProfile.id.in_(accounts))
            .order_by(UserProfile.id)
            .with_for_update()
        ).all()
        connection = session.connection()
        self.record(connection, [read_view(connection, account_id) for account_id in locked])


def _recent(connection: Connection, accounts: list[str], now: datetime) -> dict[str, str]:
    """Return the id of each account's newest snapshot of the last second, where it has one."""
    ids = padded(accounts)
    found = _select_recent(len(ids)).rows(connection, [*ids, now - _AT_MOST_ONE_A, now])
    return dict(found)


@cache
def _select_recent(count: int) -> Prepared:
    names = numbered("account", count)
    statement = (
        select(PortfolioSnapshot.user_id, PortfolioSnapshot.id)
        .where(
            PortfolioSnapshot.user_id.in_([bindparam(name) for name in names]),
            PortfolioSnapshot.recorded_at > bindparam("after"),
            PortfolioSnapshot.recorded_at <= bindparam("now"),
        )
        # The newest last, so that it is the one that stays in a dict.
        .order_by(PortfolioSnapshot.recorded_at)
    )
    return Prepared(statement, [*names, "after", "now"])
