"""What is exported: the columns of each table, and its rows as plain values, oldest first."""

import heapq
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from paperdesk.jobs.export.schemas import ExportRow, ExportTable
from paperdesk.ledger.queries import Span, adjustments_of, movements_of, trades_of
from paperdesk.models import (
    CashMovement,
    PortfolioSnapshot,
    Position,
    PositionAdjustment,
    Side,
    Trade,
)

AT_ONCE: Final = 1_000
"""Rows that the database gives at once: what an export holds of them in memory."""

Values = Sequence[Any]

_COLUMNS: Final[dict[ExportTable, tuple[str, ...]]] = {
    ExportTable.trades: (
        *("id", "executed_at", "ticker", "side", "quantity", "price", "value", "fee"),
        *("net_amount", "realized_pnl", "strategy", "source", "order_id", "opened_at"),
        *("cost_basis_method", "sequence", "hash"),
    ),
    ExportTable.positions: (
        *("ticker", "quantity", "avg_cost", "cost_basis", "opened_at", "updated_at"),
    ),
    ExportTable.ledger: (
        *("sequence", "table", "kind", "at", "ticker", "new_ticker", "quantity", "price", "fee"),
        *("amount", "cost_basis", "realized_pnl", "numerator", "denominator", "strategy"),
        *("source", "note", "key", "id", "hash"),
    ),
    ExportTable.snapshots: (
        *("recorded_at", "total_value", "cash_balance", "positions_value", "incomplete"),
    ),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What an export has: the names of its columns, and how to read its rows."""

    account_id: str
    wanted: ExportRow

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return _COLUMNS[self.wanted.table]

    def count(self, session: Session) -> int:
        """Return how many rows there are."""
        queries = self._queries()
        counts = (query.with_only_columns(func.count()).order_by(None) for query in queries)
        return sum(session.execute(count).scalar_one() for count in counts)

    @contextmanager
    def rows(self, session: Session) -> Generator[Iterator[Values]]:
        """Give the rows, a stretch of them in memory at a time."""
        with ExitStack() as results:
            streams: list[Iterator[Values]] = []
            for query in self._queries():
                result = session.execute(query.execution_options(yield_per=AT_ONCE))
                # PostgreSQL keeps a cursor for each.
                results.callback(result.close)
                streams.append(iter(result))
            yield self._merged(streams)

    def _merged(self, streams: Sequence[Iterator[Values]]) -> Iterator[Values]:
        match self.wanted.table:
            case ExportTable.trades:
                return map(_trade, streams[0])
            case ExportTable.ledger:
                return _ledger(*streams)
            case _:
                return streams[0]

    def _queries(self) -> list[Select[Any]]:
        account, wanted = self.account_id, self.wanted
        span, ticker = Span(wanted.since, wanted.until), wanted.ticker
        trades = trades_of(account, span, ticker=ticker)
        match wanted.table:
            case ExportTable.trades:
                return [_ordered(trades, _TRADE, Trade.sequence)]
            case ExportTable.positions:
                query = select(Position).where(Position.user_id == account)
                if ticker is not None:
                    query = query.where(Position.ticker == ticker)
                return [_ordered(query, _POSITION, Position.ticker)]
            case ExportTable.ledger:
                movements = movements_of(account, span, ticker=ticker)
                adjustments = adjustments_of(account, span, ticker=ticker)
                return [
                    _ordered(trades, _TRADE, Trade.sequence),
                    _ordered(movements, _MOVEMENT, CashMovement.sequence),
                    _ordered(adjustments, _ADJUSTMENT, PositionAdjustment.sequence),
                ]
            case ExportTable.snapshots:
                query = select(PortfolioSnapshot).where(PortfolioSnapshot.user_id == account)
                at = PortfolioSnapshot.recorded_at
                if wanted.since is not None:
                    query = query.where(at >= wanted.since)
                if wanted.until is not None:
                    query = query.where(at < wanted.until)
                return [_ordered(query, _SNAPSHOT, at, PortfolioSnapshot.id)]


_T, _M, _A = Trade, CashMovement, PositionAdjustment
_TRADE: Final = (
    *(_T.id, _T.executed_at, _T.ticker, _T.side, _T.quantity, _T.price, _T.value, _T.fee),
    *(_T.realized_pnl, _T.strategy, _T.source, _T.order_id, _T.opened_at, _T.cost_basis_method),
    *(_T.sequence, _T.hash),
)
_POSITION: Final = tuple(getattr(Position, name) for name in _COLUMNS[ExportTable.positions])
_SNAPSHOT: Final = tuple(
    getattr(PortfolioSnapshot, name) for name in _COLUMNS[ExportTable.snapshots]
)
_MOVEMENT: Final = (
    *(_M.sequence, _M.kind, _M.effective_at, _M.ticker, _M.amount, _M.note, _M.key, _M.id, _M.hash),
)
_ADJUSTMENT: Final = (
    *(_A.sequence, _A.kind, _A.effective_at, _A.ticker, _A.new_ticker, _A.quantity, _A.price),
    *(_A.amount, _A.cost_basis, _A.numerator, _A.denominator, _A.note, _A.key, _A.id, _A.hash),
)


def _ordered(query: Any, columns: Sequence[Any], *by: Any) -> Select[Any]:
    return query.with_only_columns(*columns).order_by(None).order_by(*by)


def _net(side: Side, value: Decimal, fee: Decimal) -> Decimal:
    """Return the cash that a trade brought, negative where it went."""
    return -value - fee if side is Side.buy else value - fee


def _trade(row: Values) -> Values:
    _, _, _, side, _, _, value, fee, *rest = row
    return (*row[:8], _net(side, value, fee), *rest)


def _ledger(
    trades: Iterator[Values], movements: Iterator[Values], adjustments: Iterator[Values]
) -> Iterator[Values]:
    """Give the entries of all three tables by their sequence."""
    return heapq.merge(
        map(_trade_entry, trades),
        map(_movement_entry, movements),
        map(_adjustment_entry, adjustments),
        key=itemgetter(0),
    )


def _trade_entry(row: Values) -> Values:
    id_, at, ticker, side, quantity, price, value, fee, realized, strategy, source, *rest = row
    *_, sequence, digest = rest
    return (
        *(sequence, "trades", side, at, ticker, None, quantity, price, fee),
        *(_net(side, value, fee), None, realized, None, None, strategy),
        *(source, None, None, id_, digest),
    )


def _movement_entry(row: Values) -> Values:
    sequence, kind, at, ticker, amount, note, key, id_, digest = row
    return (
        *(sequence, "cash_movements", kind, at, ticker, None, None, None, None),
        *(amount, None, None, None, None, None),
        *(None, note, key, id_, digest),
    )


def _adjustment_entry(row: Values) -> Values:
    sequence, kind, at, ticker, new, quantity, price, amount, cost, up, down, note, *rest = row
    return (
        *(sequence, "position_adjustments", kind, at, ticker, new, quantity, price, None),
        *(amount, cost, None, up, down, None),
        *(None, note, *rest),
    )
