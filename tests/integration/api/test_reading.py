"""Lists, curves, the watchlist and health over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from psycopg import sql
from sqlalchemy import make_url

from paperdesk.models import PortfolioSnapshot, UserProfile
from support.desk import DeskClient, open_desk
from support.postgres import PostgresServer


async def test_health_says_what_the_desk_stands_on(desk: DeskClient) -> None:
    await desk.app.state.market.tick()
    body = (await desk.get("/api/health")).json()

    dialect = desk.app.state.database.dialect
    assert body["status"] == "ok"
    assert body["database"] == {
        "dialect": dialect,
        "journal_mode": "wal" if dialect == "sqlite" else None,
        "revision": "0018",
    }
    assert body["market"]["source"] == "scripted"
    assert body["market"]["as_of"].endswith("Z")


async def test_trades_are_newest_first_and_paged_to_the_end(desk: DeskClient) -> None:
    for n in range(7):
        await desk.trade("AAPL" if n % 2 else "MSFT", "buy", f"0.{n + 1}")

    seen: list[float] = []
    path: str | None = "/api/trades?limit=3"
    while path:
        answer = await desk.get(path)
        seen += [trade["quantity"] for trade in answer.json()]
        link = answer.links.get("next")
        path = link["url"] if link else None
        assert path is None or path.startswith("/api/trades?limit=3&cursor=")

    assert seen == [0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("query", "quantities"),
    [
        ("ticker=msft", [3, 1]),
        ("side=sell", [1]),
        ("strategy=a", [3]),
        ("source=elsewhere", []),
        ("ticker=AAPL&side=buy", [2]),
        ("since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z", []),
        ("since=2000-01-01T00:00:00%2B02:00", [1, 3, 2, 1]),
    ],
)
async def test_trades_can_be_filtered(
    desk: DeskClient, query: str, quantities: list[float]
) -> None:
    await desk.trade("MSFT", "buy", 1)
    await desk.trade("AAPL", "buy", 2)
    await desk.trade("MSFT", "buy", 3, strategy="a")
    await desk.trade("AAPL", "sell", 1)

    answer = await desk.get(f"/api/trades?{query}")

    assert [trade["quantity"] for trade in answer.json()] == quantities


@pytest.mark.parametrize(
    "path",
    [
        "/api/trades?limit=0",
        "/api/trades?limit=501",
        "/api/trades?limit=x",
        "/api/trades?cursor=abc",
        "/api/trades?cursor=99999999999999999999999",
        "/api/trades?since=yesterday",
        "/api/trades?since=2026-01-01T00:00:00",
        "/api/trades?side=hold",
        "/api/trades?ticker=a%00b",
        "/api/portfolio/history?range=2d",
        "/api/portfolio/history?points=1",
        "/api/portfolio/history?points=2001",
        "/api/portfolio/history?range=1d&start=2026-01-01T00:00:00Z",
        "/api/portfolio/history?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z",
    ],
)
async def test_a_bad_query_is_refused(sqlite_desk: DeskClient, path: str) -> None:
    answer = await sqlite_desk.get(path)

    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "NOT_FOUND"),
        ("PUT", "/api/portfolio", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/portfolio?account=nobody", 404, "NOT_FOUND"),
        ("DELETE", "/api/watchlist/PYPL", 404, "NOT_FOUND"),
        ("DELETE", "/api/watchlist/p%20l", 422, "INVALID_REQUEST"),
    ],
)
async def test_what_is_not_there_answers_a_problem(
    sqlite_desk: DeskClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await sqlite_desk.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/api/trades?since={}&until={}", "/api/portfolio/history?start={}"]
)
@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59.999999-14:00"]
)
async def test_the_ends_of_the_calendar_are_times_like_others(
    sqlite_desk: DeskClient, path: str, moment: str
) -> None:
    assert (await sqlite_desk.get(path.format(moment, moment))).status_code == 200


async def test_the_watchlist_keeps_its_order_and_takes_a_ticker_once(desk: DeskClient) -> None:
    first = await desk.post("/api/watchlist", json={"ticker": "brk.b"})
    again = await desk.post("/api/watchlist", json={"ticker": "BRK.B"})
    rows = (await desk.get("/api/watchlist")).json()
    removed = await desk.delete("/api/watchlist/aapl")

    assert (first.status_code, again.status_code, removed.status_code) == (201, 200, 204)
    assert first.json()["added_at"] == again.json()["added_at"]
    assert list(rows[0]) == [
        "ticker",
        "price",
        "previous_price",
        "change",
        "change_percent",
        "added_at",
    ]
    assert [row["ticker"] for row in rows][-1] == "BRK.B"
    tickers = [row["ticker"] for row in (await desk.get("/api/watchlist")).json()]
    assert tickers == ["GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX", "BRK.B"]


async def test_an_unknown_ticker_is_not_watched_and_one_without_price_is(
    sqlite_desk: DeskClient,
) -> None:
    sqlite_desk.prices.prices["NEW"] = None

    unknown = await sqlite_desk.post("/api/watchlist", json={"ticker": "ZZZZ"})
    unpriced = await sqlite_desk.post("/api/watchlist", json={"ticker": "NEW"})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_TICKER")
    assert (unpriced.status_code, unpriced.json()["price"]) == (201, None)


async def test_every_trade_shows_in_the_history_at_most_once_a_second(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 1)
    await desk.trade("AAPL", "buy", 1)

    points = (await desk.get("/api/portfolio/history")).json()

    assert len(points) == 1
    assert list(points[0]) == [
        "recorded_at",
        "total_value",
        "cash_balance",
        "positions_value",
        "incomplete",
    ]
    assert points[0]["cash_balance"] == 10_000 - 2 * 190.25


async def test_a_long_history_is_thinned_without_losing_its_ends_and_its_peak(
    desk: DeskClient,
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    async with desk.app.state.database.write() as session:
        session.add(UserProfile(id="other"))
        await session.flush()
        for n in range(3000):
            total = Decimal(20_000 if n == 1500 else 10_000 + n % 7)
            session.add(
                PortfolioSnapshot(
                    user_id="other",
                    total_value=total,
                    cash_balance=total,
                    positions_value=Decimal(0),
                    recorded_at=start + timedelta(minutes=n),
                )
            )

    points = (await desk.get("/api/portfolio/history?points=800&account=other")).json()
    few = (await desk.get("/api/portfolio/history?points=2&account=other")).json()

    assert len(points) == 800
    assert [point["recorded_at"] for point in points] == sorted(
        point["recorded_at"] for point in points
    )
    assert max(point["total_value"] for point in points) == 20_000
    assert [point["recorded_at"] for point in few] == [
        "2026-01-01T00:00:00Z",
        "2026-01-03T01:59:00Z",
    ]


async def test_a_range_shows_only_its_time(desk: DeskClient) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the desk under test runs on the machine's clock
    async with desk.app.state.database.write() as session:
        for days in (400, 100, 20, 3, 0.5):
            session.add(
                PortfolioSnapshot(
                    total_value=Decimal(1),
                    cash_balance=Decimal(1),
                    positions_value=Decimal(0),
                    recorded_at=now - timedelta(days=days),
                )
            )

    counts = {
        span: len((await desk.get(f"/api/portfolio/history?range={span}")).json())
        for span in ("1d", "1w", "1m", "3m", "1y", "all")
    }

    assert counts == {"1d": 1, "1w": 2, "1m": 3, "3m": 3, "1y": 4, "all": 5}


async def test_a_trade_never_fails_because_its_snapshot_would_not_fit(desk: DeskClient) -> None:
    await desk.trade("TSLA", "buy", 100_000_000)
    desk.prices.prices["TSLA"] = "1000000"
    await desk.app.state.market.tick()

    sold = await desk.trade("AAPL", "buy", 1)

    assert (await desk.get("/api/portfolio")).json()["total_value"] > 9e12
    assert sold.status_code == 200


async def test_the_health_tells_of_prices_and_tasks_in_trouble(desk: DeskClient) -> None:
    async def fail() -> None:
        raise RuntimeError("a task that cannot run")

    assert (await desk.get("/api/health")).json()["status"] == "ok"
    assert (await desk.head("/api/health")).status_code == 200
    desk.app.state.desk.supervisor.start("broken", fail)
    await asyncio.sleep(0.01)

    assert (await desk.get("/api/health")).json()["status"] == "degraded"


async def test_with_its_database_away_the_desk_says_so_and_comes_back(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = make_url(postgres_url).database or ""
    async with open_desk(postgres_url) as desk:
        postgres_server.execute(allow_connections(name, allowed=False))
        away = [
            await desk.get("/api/trades"),
            await desk.get("/api/health"),
            await desk.trade("AAPL", "buy", 1),
        ]
        postgres_server.execute(allow_connections(name, allowed=True))
        back = await desk.trade("AAPL", "buy", 1)

    assert [(answer.status_code, answer.json()["code"]) for answer in away] == [(503, "BUSY")] * 3
    assert {answer.headers["retry-after"] for answer in away} == {"1"}
    assert back.status_code == 200


def allow_connections(database: str, *, allowed: bool) -> sql.Composed:
    """Return the statement that opens a database, or closes it and ends its connections."""
    name = sql.Identifier(database)
    if allowed:
        return sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name)
    return sql.SQL(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE {} ALLOW_CONNECTIONS false'; "
        "PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}; END $$"
    ).format(name, sql.Literal(database))
