"""A desk whose time and prices a test moves, and what it says of performance then."""

import io
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from paperdesk.ledger.replay.past_trades import RowReader
from paperdesk.ledger.replay.running import replay
from paperdesk.ledger.replay.trade_file import TradeFile
from paperdesk.models import PriceBar
from support.databases import START
from support.desk import DeskClient

DAY = timedelta(days=1)
PATH = "/api/portfolio/performance"
PARTS = "/api/portfolio/attribution"


async def later(desk: DeskClient, by: timedelta, **prices: str) -> None:
    """Let time pass, and have prices then."""
    desk.app.state.desk.clock.advance(by)
    desk.prices.prices |= prices
    await desk.app.state.market.tick()


async def performance(desk: DeskClient, query: str = "") -> dict[str, Any]:
    """Return the figures, as exact numbers."""
    answer = await desk.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


async def stored(desk: DeskClient, ticker: str, closes: dict[datetime, str]) -> None:
    """Put minutes into the database that end at these times."""
    async with desk.app.state.database.write() as session:
        for at, close in closes.items():
            price = Decimal(close)
            session.add(
                PriceBar(
                    ticker=ticker,
                    timeframe="1m",
                    start=at - timedelta(minutes=1),
                    open=price,
                    high=price,
                    low=price,
                    close=price,
                )
            )


async def replayed(desk: DeskClient, *rows: str) -> None:
    """Book past trades: ticker, side, quantity, price, days ago, fee, strategy."""
    now = desk.app.state.desk.clock.now()
    lines = ["ticker,side,quantity,price,executed_at,fee,strategy"]
    for row in rows:
        cells = row.split(",")
        cells[4] = (now - float(cells[4]) * DAY).isoformat()
        lines.append(",".join(cells))
    file = TradeFile(io.BytesIO("\n".join(lines).encode()), RowReader("default", "", now))
    summary = await replay(desk.app.state.ledger, file, lambda _: None)
    assert (summary.booked, summary.stopped) == (len(rows), None)


def closes(days: Iterable[float], price: str) -> dict[datetime, str]:
    """Return the same close so many days ago, at 16:00 in New York (21:00 UTC in winter)."""
    return {START.replace(hour=21) - day * DAY: price for day in days}


async def attribution(desk: DeskClient, query: str) -> dict[str, Any]:
    """Return what each part made, as exact numbers."""
    answer = await desk.get(f"{PARTS}?{query}")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
