"""Prices, bars and the price stream over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from paperdesk.api import problems
from paperdesk.api.codec import parse_json
from paperdesk.api.scopes import ANYBODY, let_in
from paperdesk.db.engine import Database
from paperdesk.market import routes
from paperdesk.market.feed import Market
from paperdesk.settings import Settings
from support.databases import START
from support.pricing import ScriptedSource, SleeplessClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource(SleeplessClock(START), AAPL="190.123456789", MSFT="440.10")


@pytest.fixture
async def market(database: Database, source: ScriptedSource) -> AsyncIterator[Market]:
    market = Market(database, source, source.clock)
    await market.load()
    feed = asyncio.create_task(market.run_feed())
    await market.board.wait_for("AAPL", 5)
    yield market
    feed.cancel()
    await market.close()


class Open:
    """Lets anybody in, as a desk without a key does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        let_in(scope, ANYBODY)
        await self.app(scope, receive, send)


@pytest.fixture
async def client(database: Database, market: Market) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.state.database = database
    app.state.market = market
    app.state.settings = Settings(timezone="America/New_York")
    problems.install(app)
    app.include_router(routes.router)
    app.add_middleware(Open)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


def exact(response: httpx2.Response) -> Any:
    assert response.status_code == 200, response.text
    return parse_json(response.content)


async def test_every_priced_ticker_is_listed_with_exact_numbers(
    client: httpx2.AsyncClient, market: Market, source: ScriptedSource
) -> None:
    source.clock.advance(timedelta(milliseconds=500))
    source.prices["AAPL"] = Decimal("190.2")
    await market.tick()
    apple, microsoft = exact(await client.get("/api/prices"))
    assert apple == {
        "ticker": "AAPL",
        "price": Decimal("190.2"),
        "previous_price": Decimal("190.123456789"),
        "change": Decimal("0.076543211"),
        "change_percent": Decimal("0.0403"),
        "timestamp": "2026-11-20T15:00:00.500000Z",
    }
    assert (microsoft["ticker"], microsoft["price"]) == ("MSFT", Decimal("440.1"))


async def test_a_ticker_that_is_not_priced_yet_is_from_now_on(
    client: httpx2.AsyncClient, source: ScriptedSource
) -> None:
    source.prices["PYPL"] = Decimal(70)
    assert exact(await client.get("/api/prices/pypl"))["price"] == 70
    assert [row["ticker"] for row in exact(await client.get("/api/prices"))][-1] == "PYPL"


async def test_an_old_price_is_shown_with_its_time(
    client: httpx2.AsyncClient, market: Market, source: ScriptedSource
) -> None:
    source.down = "away"
    source.clock.advance(timedelta(hours=1))
    await market.tick()
    row = exact(await client.get("/api/prices/AAPL"))
    assert (row["price"], row["timestamp"]) == (Decimal("190.123456789"), "2026-11-20T15:00:00Z")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/prices/NOPE", 404, "UNKNOWN_TICKER"),
        ("/api/prices/NOPE/bars", 404, "UNKNOWN_TICKER"),
        ("/api/prices/no%20pe", 422, "INVALID_REQUEST"),
        ("/api/prices/1A/bars", 422, "INVALID_REQUEST"),
        ("/api/prices/AAPL/bars?timeframe=2h", 422, "INVALID_REQUEST"),
        ("/api/prices/AAPL/bars?limit=501", 422, "INVALID_REQUEST"),
        ("/api/prices/AAPL/bars?limit=0", 422, "INVALID_REQUEST"),
        ("/api/prices/AAPL/bars?start=2026-01-01T00:00:00", 422, "INVALID_REQUEST"),
        ("/api/prices/AAPL/bars?cursor=x", 422, "INVALID_REQUEST"),
        (
            "/api/prices/AAPL/bars?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
            422,
            "INVALID_REQUEST",
        ),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_its_code(
    client: httpx2.AsyncClient, path: str, status: int, code: str
) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_known_ticker_without_a_price_is_409(
    client: httpx2.AsyncClient, source: ScriptedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperdesk.market.feed.PATIENCE", 0.02)
    source.prices["ZERO"] = Decimal(0)
    response = await client.get("/api/prices/ZERO")
    assert (response.status_code, response.json()["code"]) == (409, "PRICE_UNAVAILABLE")
    assert response.headers["Retry-After"] == "2"


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "1h", "1d"])
@pytest.mark.parametrize(
    "span",
    [
        "start=0001-01-01T00:00:00%2B14:00",
        "end=9999-12-31T23:59:59-14:00",
        "start=0001-01-01T00:00:00%2B14:00&end=9999-12-31T23:59:59-14:00",
        "cursor=999999999999999999",
    ],
)
async def test_the_ends_of_the_calendar_do_no_harm(
    client: httpx2.AsyncClient, timeframe: str, span: str
) -> None:
    bars = exact(await client.get(f"/api/prices/AAPL/bars?timeframe={timeframe}&{span}"))
    assert [bar["close"] for bar in bars] == [Decimal("190.123456789")]
    for empty in ("cursor=0", "end=0001-01-01T00:00:00%2B14:00", "start=9999-12-31T23:59:59-14:00"):
        path = f"/api/prices/AAPL/bars?timeframe={timeframe}&{empty}"
        assert exact(await client.get(path)) == []


@pytest.mark.parametrize("timeframe", ["1m", "15m"])
async def test_bars_are_newest_first_and_the_link_leads_on(
    client: httpx2.AsyncClient, market: Market, timeframe: str
) -> None:
    for n in range(1, 40):
        market.bars.add("AAPL", Decimal(n), START - n * MINUTE)
        if n == 20:
            await market.flush()
    path = f"/api/prices/AAPL/bars?timeframe={timeframe}"
    whole = exact(await client.get(f"{path}&limit=500"))
    starts = [datetime.fromisoformat(bar["start"]) for bar in whole]
    assert starts == sorted(starts, reverse=True)
    assert whole[-1]["timeframe"] == timeframe
    assert len(whole) == (40 if timeframe == "1m" else 4)
    pages: list[Any] = []
    following: str | None = f"{path}&limit=3"
    while following:
        response = await client.get(following)
        pages += exact(response)
        link = response.headers.get("Link")
        following = link.removeprefix("<").removesuffix('>; rel="next"') if link else None
    assert pages == whole


async def test_bars_are_shown_in_an_outage_too(
    client: httpx2.AsyncClient, market: Market, source: ScriptedSource
) -> None:
    market.bars.add("OLD", Decimal(5), START)
    await market.flush()
    source.down = "away"
    assert [bar["close"] for bar in exact(await client.get("/api/prices/OLD/bars"))] == [5]


async def test_the_stream_has_all_prices_and_ends_when_the_desk_does(
    client: httpx2.AsyncClient, market: Market
) -> None:
    reading = asyncio.create_task(client.get("/api/stream/prices"))
    await asyncio.sleep(0.05)
    await market.tick()
    await asyncio.sleep(0.05)
    market.stream.close()
    async with asyncio.timeout(1):
        response = await reading
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    retry, *events, rest = response.text.split("\n\n")
    assert (retry, rest, len(events)) == ("retry: 1000", "", 2)
    row = parse_json(events[-1].removeprefix("data: ").encode())["AAPL"]
    assert row == {
        "ticker": "AAPL",
        "price": Decimal("190.123456789"),
        "previous_price": Decimal("190.123456789"),
        "timestamp": "2026-11-20T15:00:00Z",
        "change": 0,
        "change_percent": 0,
        "direction": "flat",
    }
