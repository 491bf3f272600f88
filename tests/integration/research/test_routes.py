"""Domains, stocks and rankings over HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from paperdesk.db.engine import Database
from paperdesk.models import ScoreSnapshot, Stock
from paperdesk.research.rescoring import rescore
from support.databases import START
from support.desk import DeskClient, open_desk
from support.keys import bearer, make_admin, make_key
from support.pricing import SleeplessClock
from support.stocks import ScriptedStocks
from support.trail import said, trail


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    """A desk whose time stands still, so that nothing is fetched unless a test does it."""
    async with open_desk(database_url, clock=SleeplessClock(START)) as client:
        await client.app.state.market.tick()
        yield client


async def fetch(desk: DeskClient, stocks: ScriptedStocks) -> None:
    state = desk.app.state
    await rescore(state.database, stocks, state.market.clock)
    state.market.clock.advance(timedelta(minutes=5))


async def test_the_seeded_domains_and_stocks_are_listed(desk: DeskClient) -> None:
    domains = (await desk.get("/api/domains")).json()
    stocks = (await desk.get("/api/stocks")).json()
    finance = (await desk.get("/api/stocks?domain=Finance")).json()

    assert [(each["name"], each["stocks"]) for each in domains] == [
        ("AI/Tech", 5),
        ("EV", 2),
        ("Finance", 2),
    ]
    assert len(stocks) == 9
    assert [each["ticker"] for each in finance] == ["GS", "JPM"]
    assert finance[0] == {
        "ticker": "GS",
        "name": "Goldman Sachs",
        "domain_id": domains[2]["id"],
        "domain": "Finance",
        "last_updated": None,
    }


@pytest.mark.parametrize("path", ["/api/domains", "/api/stocks"])
async def test_lists_are_paged(desk: DeskClient, path: str) -> None:
    whole = (await desk.get(path)).json()
    found: list[Any] = []
    following: str | None = f"{path}?limit=2"
    pages = 0
    while following:
        answer = await desk.get(following)
        found += answer.json()
        pages += 1
        following = answer.links.get("next", {}).get("url")

    assert found == whole
    assert pages == (len(whole) + 1) // 2
    for wrong in ("?limit=0", "?limit=501", "?cursor=%F0%9F%A6%84", "?page=2"):
        assert (await desk.get(path + wrong)).status_code == 422


async def test_before_the_first_fetch_rankings_say_that_there_is_nothing(desk: DeskClient) -> None:
    shown = (await desk.get("/api/rankings")).json()

    assert shown.keys() == {"source", "error", "best_overall", "last_fetched", "domains"}
    assert (shown["best_overall"], shown["last_fetched"], shown["error"]) == (None, None, None)
    assert [each["domain"] for each in shown["domains"]] == ["AI/Tech", "EV", "Finance"]
    first = shown["domains"][0]["top"][0]
    assert (first["ticker"], first["rank"], first["score"], first["factors"]) == (
        "AAPL",
        None,
        None,
        None,
    )


async def test_rankings_show_the_best_with_what_their_scores_are_made_of(
    desk: DeskClient, stocks: ScriptedStocks
) -> None:
    for price in ("100", "101.000000001", "103.123456789"):
        stocks.prices["NVDA"] = Decimal(price)
        stocks.volumes["NVDA"] = Decimal("1500.5")
        await fetch(desk, stocks)

    answer = await desk.get("/api/rankings/AI/Tech")
    encoded = await desk.get("/api/rankings/AI%2FTech?limit=1")
    every = (await desk.get("/api/rankings")).json()

    shown = answer.json()
    assert [each["ticker"] for each in shown["top"]] == ["NVDA", "AAPL", "AMD", "GOOGL", "MSFT"]
    assert [each["rank"] for each in shown["top"]] == [1, 2, 3, 4, 5]
    assert shown["top"][:1] == encoded.json()["top"] == [shown["best_overall"]]
    assert every["domains"][0] == {
        name: shown[name] for name in ("domain", "stocks", "last_fetched", "top")
    }
    assert every["best_overall"] == shown["best_overall"]
    assert every["last_fetched"] == shown["last_fetched"] == "2026-11-20T15:10:00Z"
    best = shown["top"][0]
    assert '"close_price":103.123456789' in answer.text
    assert '"value":0.031234568' in answer.text
    assert best["volume"] == 1500.5
    assert best["factors"]["momentum"]["percentile"] == 100
    assert best["missing"] == []
    assert shown["top"][1]["missing"] == ["volume_change"]


async def test_the_score_is_the_sum_of_what_is_shown(
    desk: DeskClient, stocks: ScriptedStocks
) -> None:
    for n in range(4):
        stocks.prices = {t: Decimal(100 + n * len(t) + ord(t[0]) % 7) for t in stocks.prices}
        await fetch(desk, stocks)

    for domain in (await desk.get("/api/rankings")).json()["domains"]:
        for each in domain["top"]:
            factors = each["factors"].values()
            total = sum(factor["weight"] * factor["percentile"] for factor in factors)
            assert abs(total - each["score"]) < 0.001


async def test_a_stock_without_a_new_price_keeps_its_row_and_has_no_rank(
    desk: DeskClient, stocks: ScriptedStocks
) -> None:
    await fetch(desk, stocks)
    del stocks.prices["AAPL"]
    await fetch(desk, stocks)

    shown = (await desk.get("/api/rankings/AI/Tech")).json()

    assert [each["ticker"] for each in shown["top"]] == ["AMD", "GOOGL", "MSFT", "NVDA", "AAPL"]
    assert [each["rank"] for each in shown["top"]] == [1, 2, 3, 4, None]
    last = shown["top"][-1]
    assert (last["close_price"], last["fetched_at"]) == (100, "2026-11-20T15:00:00Z")
    assert shown["last_fetched"] == "2026-11-20T15:05:00Z"
    assert "AAPL" in shown["error"]


async def test_an_outage_is_said_beside_the_last_scores(
    desk: DeskClient, stocks: ScriptedStocks
) -> None:
    await fetch(desk, stocks)
    before = (await desk.get("/api/rankings")).json()
    stocks.down = "It is away."
    with pytest.raises(Exception, match="It is away"):
        await fetch(desk, stocks)

    assert (await desk.get("/api/rankings")).json() == before | {"error": "It is away."}


async def test_domains_are_added_once_and_removed_when_they_are_empty(desk: DeskClient) -> None:
    name = {"name": "Energy  & Oil/Gas"}
    first = await desk.post("/api/domains", json=name)
    second = await desk.post("/api/domains", json=name)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["name"] == "Energy & Oil/Gas"
    path = "/api/domains/Energy%20&%20Oil/Gas"
    assert (await desk.delete(path)).status_code == 204
    assert (await desk.delete(path)).status_code == 404
    refused = await desk.delete("/api/domains/AI/Tech")
    assert (refused.status_code, refused.json()["code"]) == (409, "INVALID_STATE")
    assert len((await desk.get("/api/domains")).json()) == 3


@pytest.mark.parametrize(
    "name", ["", " ", "/", "a//b", "/a", "a/", "..", "a/../b", "a/ /b", "x" * 129, "a\0b", 5]
)
async def test_a_name_that_no_path_can_have_is_refused(desk: DeskClient, name: Any) -> None:
    for path, body in (
        ("/api/domains", {"name": name}),
        ("/api/stocks", {"ticker": "AAPL", "domain": name}),
    ):
        answer = await desk.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


async def test_a_name_of_any_script_is_found_again(desk: DeskClient) -> None:
    name = "Énergie/石油?"
    await desk.post("/api/domains", json={"name": name})

    answer = await desk.get("/api/rankings/%C3%89nergie/%E7%9F%B3%E6%B2%B9%3F")

    assert (answer.status_code, answer.json()["domain"], answer.json()["top"]) == (200, name, [])


async def test_a_stock_is_added_renamed_moved_and_removed(
    desk: DeskClient, stocks: ScriptedStocks
) -> None:
    await fetch(desk, stocks)
    database: Database = desk.app.state.database
    *_, last = await trail(database)

    async def put(status: int, **body: Any) -> dict[str, Any]:
        answer = await desk.post("/api/stocks", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    added = await put(201, ticker="brk.b", domain="Finance")
    named = await put(200, ticker="BRK.B", domain="Finance", name="Berkshire Hathaway")
    same = await put(200, ticker="BRK.B", domain="Finance")
    moved = await put(200, ticker="AAPL", domain="EV")
    ranking = (await desk.get("/api/rankings/EV")).json()["top"]

    assert (added["ticker"], added["name"], added["domain"]) == ("BRK.B", "BRK.B", "Finance")
    assert named == same == added | {"name": "Berkshire Hathaway"}
    assert (moved["name"], moved["domain"], moved["last_updated"]) == ("Apple Inc.", "EV", None)
    # Its score was one among the stocks of another domain.
    assert [(each["ticker"], each["score"]) for each in ranking] == [
        ("RIVN", 50),
        ("TSLA", 50),
        ("AAPL", None),
    ]
    assert (await desk.delete("/api/stocks/aapl")).status_code == 204
    assert (await desk.delete("/api/stocks/aapl")).status_code == 404
    async with database.read() as session:
        rows = select(func.count()).where(ScoreSnapshot.ticker == "AAPL")
        assert await session.scalar(rows) == 0

    lines = await trail(database, last)
    assert [(line.action, line.subject) for line in lines] == [
        ("stock.added", "BRK.B"),
        ("stock.changed", "BRK.B"),
        ("stock.changed", "AAPL"),
        ("stock.removed", "AAPL"),
    ]
    assert said(lines[2]) == {
        "before": {"name": "Apple Inc.", "domain": "AI/Tech"},
        "after": {"name": "Apple Inc.", "domain": "EV"},
    }


async def test_what_is_not_there_is_a_404(desk: DeskClient) -> None:
    unknown = await desk.post("/api/stocks", json={"ticker": "NOPE", "domain": "EV"})
    nowhere = await desk.post("/api/stocks", json={"ticker": "AAPL", "domain": "Energy"})
    ranking = await desk.get("/api/rankings/Energy")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "UNKNOWN_TICKER")
    for answer in (nowhere, ranking):
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert (await desk.get(f"/api/rankings/{'x' * 200}")).status_code == 422
    assert (await desk.get("/api/rankings/EV?limit=501")).status_code == 422


async def test_a_key_of_one_account_sees_research_and_changes_none(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    bound = await make_key(desk, "trade", by=admin, account_id="default")
    reader = await make_key(desk, "read", by=admin)
    changes = [
        ("POST", "/api/domains", {"name": "Energy"}),
        ("POST", "/api/stocks", {"ticker": "AAPL", "domain": "EV"}),
        ("DELETE", "/api/stocks/AAPL", None),
        ("DELETE", "/api/domains/EV", None),
    ]

    for key in (bound, reader):
        headers = bearer(key["key"])
        for path in ("/api/rankings", "/api/rankings/EV", "/api/stocks", "/api/domains"):
            assert (await desk.get(path, headers=headers)).status_code == 200
        for method, path, body in changes:
            answer = await desk.request(method, path, json=body, headers=headers)
            assert answer.status_code == 403


async def test_many_who_change_the_same_at_once_leave_one_of_it(desk: DeskClient) -> None:
    requests = [
        *(desk.post("/api/domains", json={"name": "Energy"}) for _ in range(8)),
        *(desk.post("/api/stocks", json={"ticker": "BRK.B", "domain": d}) for d in ("EV",) * 8),
        *(desk.delete("/api/stocks/MSFT") for _ in range(4)),
        *(desk.delete("/api/domains/Energy") for _ in range(2)),
    ]

    answers = await asyncio.gather(*requests)

    statuses = [answer.status_code for answer in answers]
    assert max(statuses) < 500
    assert sorted(statuses[8:16]) == [200] * 7 + [201]
    assert sorted(statuses[16:20]) == [204, 404, 404, 404]
    async with desk.app.state.database.read() as session:
        assert await session.get(Stock, "MSFT") is None
        assert await session.get(Stock, "BRK.B") is not None
