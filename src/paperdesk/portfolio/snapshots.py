"""Snapshots: what each account was worth, every half minute and after its trades."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.ledger.views import AccountView
from paperdesk.ledger.writer import Ledger
from paperdesk.market.quotes import QuoteBoard
from paperdesk.models import PortfolioSnapshot, UserProfile
from paperdesk.portfolio.statement import statement_of

INTERVAL = 30.0
_SETTLING = 2.0
"""Seconds after the start until the first prices have come."""
_AT_MOST_ONE_A = timedelta(seconds=1)


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
            snapshot = _snapshot_to_write(session, account.id, now)
            snapshot.cash_balance = account.cash_balance
            snapshot.positions_value = statement.positions_value
            snapshot.total_value = statement.total_value
            snapshot.incomplete = bool(statement.unpriced)
            snapshot.recorded_at = now

    async def run(self, database: Database, ledger: Ledger) -> None:
        """Write a snapshot of every account, every half minute, for ever."""
        await self._clock.sleep(_SETTLING)
        while True:
            async with database.read() as session:
                account_ids = (await session.scalars(select(UserProfile.id))).all()
            accounts = [await ledger.account(account_id) for account_id in account_ids]
            async with database.write() as session:
                await session.run_sync(self.record, accounts)
            await self._clock.sleep(INTERVAL)


def _snapshot_to_write(session: Session, account_id: str, now: datetime) -> PortfolioSnapshot:
    newest = session.scalars(
        select(PortfolioSnapshot)
        .where(PortfolioSnapshot.user_id == account_id)
        .order_by(PortfolioSnapshot.recorded_at.desc())
        .limit(1)
    ).one_or_none()
    if newest and timedelta(0) <= now - newest.recorded_at < _AT_MOST_ONE_A:
        return newest
    snapshot = PortfolioSnapshot(user_id=account_id)
    session.add(snapshot)
    return snapshot
