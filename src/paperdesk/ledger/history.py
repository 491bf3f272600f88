"""The journal as one list: the entries of its three tables, the last booked first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.ledger.journal import FIELDS, FIRST_HASH, Entry
from paperdesk.ledger.queries import EVER, Span, adjustments_of, movements_of, trades_of
from paperdesk.models import CashMovement, PositionAdjustment, Side, Trade


class JournalTable(StrEnum):
    """The tables of the journal."""

    trades = Trade.__tablename__
    cash_movements = CashMovement.__tablename__
    position_adjustments = PositionAdjustment.__tablename__


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: a table that lacks what is asked for has none of them."""

    span: Span = EVER
    table: JournalTable | None = None
    ticker: str | None = None
    side: Side | None = None
    source: str | None = None
    strategy: str | None = None

    def queries(self, account_id: str) -> Iterator[Select[Any]]:
        """Give the queries of the tables that may have such entries."""
        of_trades = any((self.side, self.source, self.strategy))
        if self.table in {None, JournalTable.trades}:
            yield trades_of(
                account_id,
                self.span,
                ticker=self.ticker,
                side=self.side,
                source=self.source,
                strategy=self.strategy,
            )
        if self.table in {None, JournalTable.cash_movements} and not of_trades:
            yield movements_of(account_id, self.span, ticker=self.ticker)
        if self.table in {None, JournalTable.position_adjustments} and not of_trades:
            yield adjustments_of(account_id, self.span, ticker=self.ticker)


async def entries_of(
    session: AsyncSession, account_id: str, wanted: Wanted, limit: int
) -> Sequence[Entry]:
    """Return at most `limit` entries. Each table gives as many at the most, by its own index."""
    found: list[Entry] = []
    for query in wanted.queries(account_id):
        found += await session.scalars(query.limit(limit))
    found.sort(key=lambda entry: entry.sequence, reverse=True)
    return found[:limit]


async def hashes_before(
    session: AsyncSession, account_id: str, entries: Sequence[Entry]
) -> Mapping[int, str]:
    """Return, by their sequence, the hashes that entries of an account are chained to.

    One that is not there, in a journal that was tampered with, is left out.
    """
    known = {0: FIRST_HASH} | {entry.sequence: entry.hash for entry in entries}
    missing = {entry.sequence - 1 for entry in entries} - known.keys()
    if missing:
        for table in FIELDS:
            rows = await session.execute(
                select(table.sequence, table.hash).where(
                    table.user_id == account_id, table.sequence.in_(missing)
                )
            )
            known |= {sequence: digest for sequence, digest in rows}  # noqa: C416 - rows, typed
    return {
        entry.sequence: known[entry.sequence - 1]
        for entry in entries
        if entry.sequence - 1 in known
    }
