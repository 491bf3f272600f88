"""A desk with twelve years behind it: many trades of many tickers, and their closing prices."""

import asyncio
import io
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import insert

from bench.past import made_once
from paperdesk.bootstrap import open_database
from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.replay.past_trades import RowReader
from paperdesk.ledger.replay.running import replay
from paperdesk.ledger.replay.trade_file import TradeFile
from paperdesk.models import PriceBar
from paperdesk.settings import database_url

YEARS = 12
_SEED = 7
_FRIDAY = 4
_CHUNK = 20_000
_HEADER = "ticker,side,quantity,price,executed_at,fee,strategy"
_STRATEGIES = ("momentum", "value", "")


def desk_with_decade(trades: int, tickers: int) -> Path:
    """Return a SQLite file with that many trades, over twelve years; made the first time.

    Every weekday has a closing price of every ticker: one minute, as the recorder stores them.
    """
    return made_once(
        "decade",
        f"{trades}-{tickers}",
        f"{trades:,} trades of {tickers:,} tickers",
        lambda path: _make(path, trades, tickers),
    )


async def _make(path: Path, trades: int, tickers: int) -> None:
    now = SystemClock().now()
    began = now - timedelta(days=YEARS * 365)
    database = await open_database(database_url(path), ManualClock(began))
    past = _Past(tickers, began, now)
    try:
        await asyncio.to_thread(_store, database, past)
        ledger = Ledger(database)
        text = "\n".join([_HEADER, *past.rows(trades)])
        file = TradeFile(io.BytesIO(text.encode()), RowReader("default", "", now))
        summary = await replay(ledger, file, lambda _: None)
        await ledger.close()
        if summary.booked != trades:
            raise AssertionError(f"booked {summary.booked}, stopped by {summary.stopped}")
    finally:
        await database.close()


def _store(database: Database, past: "_Past") -> None:
    with database.sync_session() as session:
        rows = list(past.bars())
        for first in range(0, len(rows), _CHUNK):
            session.execute(insert(PriceBar), rows[first : first + _CHUNK])
            session.commit()


class _Past:
    """Prices that walk, and trades at them that $10,000 can pay for."""

    def __init__(self, tickers: int, began: datetime, ended: datetime) -> None:
        self._chance = random.Random(_SEED)  # noqa: S311 - the same walk each time
        self._began = began + timedelta(days=1)
        self._days = [
            day
            for number in range((ended - self._began).days)
            if (day := self._began.date() + timedelta(days=number)).weekday() <= _FRIDAY
        ]
        self._cents = {
            f"T{number:03}": self._walk(self._chance.randrange(500, 20_000))
            for number in range(tickers)
        }

    def bars(self) -> Iterator[dict[str, object]]:
        """Give the last minute of each weekday of each ticker."""
        for ticker, prices in self._cents.items():
            for day, cents in zip(self._days, prices, strict=True):
                price = f"{cents / 100:.2f}"
                yield {
                    "ticker": ticker,
                    "timeframe": "1m",
                    "start": datetime(day.year, day.month, day.day, 20, 59, tzinfo=UTC),
                    **dict.fromkeys(("open", "high", "low", "close"), Decimal(price)),
                }

    def rows(self, count: int) -> Iterator[str]:
        """Give trades in order of time: each ticker is bought, then sold in part or wholly."""
        tickers = list(self._cents)
        held = dict.fromkeys(tickers, 0)
        for number in range(count):
            place = number * len(self._days) // count
            ticker = tickers[self._chance.randrange(len(tickers))]
            sells = held[ticker] >= 3 or (held[ticker] and self._chance.random() < 0.4)
            hundredths = self._chance.randrange(1, held[ticker] + 1) if sells else 1
            held[ticker] += -hundredths if sells else hundredths
            yield self._row(ticker, place, hundredths, number, sells=bool(sells))

    def _row(self, ticker: str, place: int, hundredths: int, number: int, *, sells: bool) -> str:
        day: date = self._days[place]
        at = datetime(day.year, day.month, day.day, 15, 0, tzinfo=UTC)
        at += timedelta(seconds=number % 18_000)
        price = self._cents[ticker][place] / 100
        side = "sell" if sells else "buy"
        strategy = _STRATEGIES[number % len(_STRATEGIES)]
        quantity = f"{hundredths / 100:.2f}"
        return f"{ticker},{side},{quantity},{price:.2f},{at.isoformat()},0.01,{strategy}"

    def _walk(self, cents: int) -> list[int]:
        prices: list[int] = []
        for _ in self._days:
            cents = max(100, cents + round(cents * self._chance.gauss(0.0002, 0.015)))
            prices.append(cents)
        return prices
