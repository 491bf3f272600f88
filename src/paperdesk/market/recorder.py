"""Storing quotes and bars: one short transaction every few seconds, or with every tick."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, case, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from paperdesk.market.bars import Bar, BarMaker, Timeframe
from paperdesk.market.following import PRICES
from paperdesk.market.quotes import Quote, QuoteBoard
from paperdesk.models import Base
from paperdesk.runtime.leader import Leadership

_QUOTES: Table = Base.metadata.tables["quotes"]
_BARS: Table = Base.metadata.tables["price_bars"]


class Recorder:
    """Writes what changed on the board and in the bars since it last did."""

    def __init__(self, leadership: Leadership, board: QuoteBoard, bars: BarMaker) -> None:
        self._leadership = leadership
        self._board = board
        self._bars = bars
        self._stored: dict[str, Quote] = {}
        self._writing: asyncio.Task[None] | None = None

    def knows(self, quotes: Iterable[Quote]) -> None:
        """Note the quotes that the database has, and so need not be written."""
        self._stored = {quote.ticker: quote for quote in quotes}

    async def flush(self) -> None:
        """Store what changed. A write that was begun goes on although its caller is cancelled."""
        await self._finish(self._flush)

    async def publish(self, quotes: Sequence[Quote], note: str) -> None:
        """Store quotes, tell the processes that follow, and only then put them on the board.

        So nothing trades at a price that the others could not see. `note` is for them: why the
        source is out, empty if it is not. What was begun goes on, as in `flush`.
        """
        await self._finish(lambda: self._publish(quotes, note))

    async def _finish(self, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing})
        self._writing = asyncio.create_task(write())
        await asyncio.shield(self._writing)

    async def _flush(self) -> None:
        on_board = {quote.ticker: quote for quote in self._board.all()}
        changed = [q for q in on_board.values() if self._stored.get(q.ticker) is not q]
        gone = sorted(self._stored.keys() - on_board.keys())
        bars = self._bars.unsaved()
        if not (changed or gone or bars):
            return
        async with self._leadership.write() as session:
            await self._put(await session.connection(), changed, gone, bars)
        # Only now: had the commit failed, all of it would be tried again next time.
        self._bars.saved(bars)
        self._stored = on_board

    async def _publish(self, quotes: Sequence[Quote], note: str) -> None:
        new = {quote.ticker: quote for quote in quotes}
        kept = {quote.ticker: quote for quote in self._board.all()} | new
        gone = sorted(self._stored.keys() - kept.keys())
        async with self._leadership.write() as session:
            await self._put(await session.connection(), quotes, gone, [])
            await session.execute(select(func.pg_notify(PRICES, note)))
        self._stored = kept
        for quote in quotes:
            self._board.restore(quote)

    async def _put(
        self,
        connection: AsyncConnection,
        changed: Sequence[Quote],
        gone: list[str],
        bars: list[Bar],
    ) -> None:
        if changed:
            rows = [
                {
                    "ticker": quote.ticker,
                    "price": quote.price,
                    "previous_price": quote.previous_price,
                    "volume": quote.volume,
                    "source": quote.source,
                    "timestamp": quote.timestamp,
                    "received_at": quote.received_at,
                }
                for quote in changed
            ]
            await connection.execute(upsert_quotes(connection.dialect.name), rows)
        if gone:
            statement = delete(_QUOTES).where(_QUOTES.c.ticker == bindparam("gone"))
            await connection.execute(statement, [{"gone": ticker} for ticker in gone])
        if bars:
            rows = [_values(bar) for bar in bars]
            await connection.execute(upsert_bars(connection.dialect.name), rows)


def upsert_quotes(dialect: str) -> Any:
    """Return the statement that inserts a quote or replaces the ticker's last one."""
    statement = _insert(dialect, _QUOTES)
    new = statement.excluded
    replaced = {c.name: new[c.name] for c in _QUOTES.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=["ticker"], set_=replaced)


def upsert_bars(dialect: str) -> Any:
    """Return the statement that inserts a bar or continues the stored one.

    Continued, it keeps its open and volume, takes the new close, and its high and low only widen.
    """
    statement = _insert(dialect, _BARS)
    old, new = _BARS.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["ticker", "timeframe", "start"],
        set_={
            "high": case((new.high > old.high, new.high), else_=old.high),
            "low": case((new.low < old.low, new.low), else_=old.low),
            "close": new.close,
        },
    )


async def store_absent(connection: AsyncConnection, bars: Sequence[Bar]) -> int:
    """Store those minutes that are not there, within a transaction; return how many those were.

    `bars` are of one ticker, oldest first: so two that store the same never wait for each other.
    """
    statement: Any = _insert(connection.dialect.name, _BARS).on_conflict_do_nothing()
    # It returns what was inserted: of many rows no driver says how many that were.
    stored = await connection.execute(
        statement.returning(_BARS.c.start), [_values(bar) for bar in bars]
    )
    return len(stored.all())


def _values(bar: Bar) -> dict[str, Any]:
    return {
        "ticker": bar.ticker,
        "timeframe": Timeframe.minute.value,
        "start": bar.start,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
