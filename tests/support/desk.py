"""A whole desk in the test's own process: the real app, with prices that the test sets."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
from fastapi import FastAPI

from paperdesk.app import create_app
from paperdesk.clock import Clock, SystemClock
from paperdesk.market.quotes import PriceSource, Tick
from paperdesk.settings import Settings

PRICES = {"AAPL": "190.25", "MSFT": "400.5", "TSLA": "0.000000001", "BRK.B": "451.123456789"}


class ScriptedPrices:
    """A price source that says what a test told it; it knows no other ticker."""

    name = "scripted"
    interval = timedelta(seconds=0.05)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.prices: dict[str, str | None] = dict(PRICES)
        """What it answers; None: the ticker is known but has no price."""

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Tick]:
        now = self.clock.now()
        prices = {ticker: self.prices.get(ticker) for ticker in tickers}
        return {ticker: Tick(Decimal(price), now) for ticker, price in prices.items() if price}

    async def knows(self, ticker: str) -> bool:
        return ticker in self.prices

    async def close(self) -> None:
        """Nothing to let go of."""


class DeskClient(httpx2.AsyncClient):
    """Speaks HTTP to the app; `app` and `prices` are within reach of the test."""

    app: FastAPI
    prices: ScriptedPrices

    async def trade(self, ticker: str, side: str, quantity: Any, **rest: Any) -> httpx2.Response:
        headers = rest.pop("headers", {})
        body = {"ticker": ticker, "side": side, "quantity": quantity, **rest}
        return await self.post("/api/portfolio/trade", json=body, headers=headers)


@asynccontextmanager
async def open_desk(
    database_url: str,
    *,
    clock: Clock | None = None,
    source: PriceSource | None = None,
    **settings: Any,
) -> AsyncIterator[DeskClient]:
    """Run the app on a database, and give a client of it; `source` prices in place of `prices`."""
    clock = clock or SystemClock()
    prices = ScriptedPrices(clock)
    app = create_app(Settings(database_url=database_url, **settings), clock, source or prices)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        DeskClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        client.app = app
        client.prices = prices
        yield client
    # FastAPI remembers functions of the last thousand apps, and through them each desk with its
    # engines: gigabytes, for which the garbage collector stopped everything for seconds.
    vars(app.state.desk).clear()
    app.state._state.clear()
