"""Snapshots: what each account was worth, every half minute and after its trades."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.ledger.views import AccountView, read_view
from paperdesk.market.quotes import QuoteBoard
from paperdesk.models import PortfolioSnapshot, UserProfile
from paperdesk.portfolio.statement import statement_of

INTERVAL = 30.0
LARGEST_TOTAL = Decimal(9_000_000_000_000)
"""US dollars with 6 places end near 9.2 x 10^12 in a 64-bit column."""
_SETTLING = 2.0
"""Seconds after the start until the first prices have come."""
_AT_MOST_ONE_A = timedelta(seconds=1)


log = structlog.get_logger()


class SnapshotRecorder:
    """Writes snapshots. At most one a second per account: the last within it wins."""

    def __init__(self, board: QuoteBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock

    def record(self, session: Session, accounts: Iterable[AccountView]) -> None:
        """Write a snapshot of each account, within the session's transaction."""
        now = self._clock.now()
        for account in accounts:
            statement = statement_of(account, self._board)
            if statement.total_value > LARGEST_TOTAL:
                # Never an error: it would take back the trades of the batch.
                log.warning("snapshot.too_large", account=account.id)
                continue
            snapshot = _snapshot_to_write(session, account.id, now)
            snapshot.cash_balance = account.cash_balance
            snapshot.positions_value = statement.positions_value
            snapshot.total_value = statement.total_value
            snapshot.incomplete = bool(statement.unpriced)
            snapshot.recorded_at = now

    async def run(self, database: Database) -> None:
        """Write a snapshot of every account, every half minute, for ever."""
        await self._clock.sleep(_SETTLING)
        while True:
            async with database.write() as session:
                await session.run_sync(self._record_all)
            await self._clock.sleep(INTERVAL)

    def _record_all(self, session: Session) -> None:
        # Locked and read in the transaction that writes, so that no trade comes in between.
        accounts = session.scalars(
            select(UserProfile.id).order_by(UserProfile.id).with_for_update()
        ).all()
        self.record(session, [read_view(session, account_id) for account_id in accounts])


def _snapshot_to_write(session: Session, account_id: str, now: datetime) -> PortfolioSnapshot:
    newest = session.scalars(
        select(PortfolioSnapshot)
        .where(PortfolioSnapshot.user_id == account_id, PortfolioSnapshot.recorded_at <= now)
        .order_by(PortfolioSnapshot.recorded_at.desc())
        .limit(1)
    ).one_or_none()
    if newest and now - newest.recorded_at < _AT_MOST_ONE_A:
        return newest
    snapshot = PortfolioSnapshot(user_id=account_id)
    session.add(snapshot)
    return snapshot
