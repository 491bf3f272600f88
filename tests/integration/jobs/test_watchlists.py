"""Watchlists imported as jobs: a row a ticker, put on the list once, skipped or refused."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from paperdesk.models import WatchlistEntry
from support.desk import DeskClient
from support.jobs import ask, ended, make_job, previewed, rows, run_job
from support.trading import assert_books_hold
from support.trail import trail

KIND = "import_watchlist"


async def watched(desk: DeskClient) -> list[str]:
    return [entry["ticker"] for entry in (await desk.get("/api/watchlist")).json()]


async def clear(desk: DeskClient, *known: str) -> None:
    """Empty the watchlist, and have the source know more tickers."""
    desk.prices.prices |= dict.fromkeys(known, "10")
    for ticker in await watched(desk):
        assert (await desk.delete(f"/api/watchlist/{ticker}")).status_code == 204


async def test_each_row_is_watched_skipped_or_refused(desk: DeskClient) -> None:
    await clear(desk)
    await desk.post("/api/watchlist", json={"ticker": "TSLA"})
    given = [
        "aapl",
        {"ticker": "MSFT", "name": "Microsoft", "target": 500},
        {"symbol": "NASDAQ:BRK.B"},
        "TSLA",
        "AAPL",
        "NOPE",
        "BINANCE:BTCUSDT",
        {"ticker": "$$$"},
        {"ticker": "JPM", "symbol": "JPM"},
        {"ticker": 7},
        {"name": "Nobody"},
        None,
    ]
    done = await run_job(desk, given, kind=KIND)

    assert [(row["status"], row["error_code"]) for row in await rows(desk, done["id"])] == [
        ("completed", None),
        ("completed", None),
        ("completed", None),
        ("skipped", "ALREADY_DONE"),
        ("skipped", "ALREADY_DONE"),
        ("failed", "UNKNOWN_TICKER"),
        *[("failed", "INVALID_REQUEST")] * 6,
    ]
    found = await rows(desk, done["id"])
    assert found[1]["warning"] == "A watchlist has tickers alone; not kept: name, target."
    assert found[6]["error_message"] == "row: BINANCE is no exchange of US stocks."
    assert found[7]["error_message"].startswith("ticker: A ticker is 1 to 10 letters")
    counted = ("status", "total_rows", "processed_rows", "successful_rows", "failed_rows")
    assert [done[name] for name in counted] == ["completed", 12, 12, 3, 7]
    assert done["total_cost_cents"] == 0
    assert await watched(desk) == ["TSLA", "AAPL", "MSFT", "BRK.B"]


async def test_it_says_in_the_audit_trail_what_it_did(desk: DeskClient) -> None:
    await clear(desk)
    done = await run_job(desk, ["AAPL", "AAPL"], kind=KIND)
    await undone(desk, done["id"])

    lines = await trail(desk.app.state.database)
    assert [(line.actor, line.action) for line in lines if line.actor_id == done["id"]] == [
        ("job", "watchlist.added"),
        ("job", "job.changed"),
        ("job", "watchlist.removed"),
        ("job", "job.changed"),
    ]


async def test_an_estimate_says_what_would_become_of_each_row(desk: DeskClient) -> None:
    """Also of a ticker that stands in a row of another stretch before."""
    await clear(desk)
    await desk.post("/api/watchlist", json={"ticker": "TSLA"})
    given = ["AAPL", "TSLA", "NOPE", *["TSLA"] * 70, "AAPL"]
    made = await make_job(desk, given, kind=KIND)
    await previewed(desk, made["id"])

    assert await watched(desk) == ["TSLA"]
    estimated = await rows(desk, made["id"])
    assert {row["status"] for row in estimated} == {"pending"}
    codes = [row["error_code"] for row in estimated]
    assert codes == [None, "ALREADY_DONE", "UNKNOWN_TICKER", *["ALREADY_DONE"] * 71]
    assert estimated[-1]["error_message"] == (
        "It would be skipped: AAPL is on the watchlist already."
    )

    await ask(desk, made["id"], "start")
    await ended(desk, made["id"])
    booked = await rows(desk, made["id"])
    assert [row["error_code"] for row in booked] == codes
    assert await watched(desk) == ["TSLA", "AAPL"]


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("AAPL, MSFT NVDA\njpm;V", ["AAPL", "MSFT", "NVDA", "JPM", "V"]),
        ("###Big Tech,NASDAQ:AAPL,###Banks of all kinds,NYSE:JPM", ["AAPL", "JPM"]),
        (" ".join(f"T{n}" for n in range(150)), [f"T{n}" for n in range(150)]),
    ],
)
async def test_a_text_may_be_pasted(desk: DeskClient, text: str, tickers: list[str]) -> None:
    await clear(desk, *tickers)
    body = {"kind": KIND, "original_command": text, "mode": "auto"}
    made = (await desk.post("/api/jobs", json=body)).json()
    done = await ended(desk, made["id"])
    assert (done["successful_rows"], done["original_command"]) == (len(tickers), text)
    assert sorted(await watched(desk)) == sorted(tickers)


@pytest.mark.parametrize("text", ["###", " , ", "\n"])
async def test_a_text_without_tickers_is_refused(desk: DeskClient, text: str) -> None:
    answer = await desk.post("/api/jobs", json={"kind": KIND, "original_command": text})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


async def test_what_is_mended_is_watched_when_it_is_tried_again(desk: DeskClient) -> None:
    await clear(desk)
    done = await run_job(desk, ["AAPL", "NOPE", "AAPL"], kind=KIND)
    changed = await desk.patch(f"/api/jobs/{done['id']}/rows/2", json={"data": "MSFT"})
    assert changed.status_code == 200, changed.text
    await ask(desk, done["id"], "retry")
    await ended(desk, done["id"])
    found = [row["status"] for row in await rows(desk, done["id"])]
    assert found == ["completed", "completed", "skipped"]
    assert await watched(desk) == ["AAPL", "MSFT"]
    again = await desk.post(f"/api/jobs/{done['id']}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "INVALID_STATE")


async def undone(desk: DeskClient, job_id: str) -> dict[str, Any]:
    await ask(desk, job_id, "undo")
    return await ended(desk, job_id)


async def test_undo_takes_off_what_it_put_there_and_nothing_else(desk: DeskClient) -> None:
    await clear(desk, "NVDA")
    await desk.post("/api/watchlist", json={"ticker": "TSLA"})
    done = await run_job(desk, ["AAPL", "TSLA", "MSFT", "NVDA"], kind=KIND)
    for ticker in ("MSFT", "NVDA"):
        assert (await desk.delete(f"/api/watchlist/{ticker}")).status_code == 204
    await desk.post("/api/watchlist", json={"ticker": "NVDA"})

    after = await undone(desk, done["id"])

    assert (after["status"], after["successful_rows"], after["failed_rows"]) == ("cancelled", 0, 0)
    assert await watched(desk) == ["TSLA", "NVDA"]
    codes = [row["error_code"] for row in await rows(desk, done["id"])]
    assert codes == ["UNDONE", "ALREADY_DONE", "UNDONE", "UNDONE"]


async def test_all_or_nothing_is_not_spoiled_by_what_is_there_already(desk: DeskClient) -> None:
    await clear(desk)
    await desk.post("/api/watchlist", json={"ticker": "TSLA"})
    done = await run_job(desk, ["TSLA", "AAPL"], kind=KIND, atomicity="all")
    assert (done["status"], done["successful_rows"]) == ("completed", 1)
    # A row that is there already did not fail: there is nothing to try again.
    assert (await desk.post(f"/api/jobs/{done['id']}/retry")).status_code == 409

    failed = await run_job(desk, ["MSFT", "NOPE"], kind=KIND, atomicity="all")
    assert (failed["status"], failed["error_code"]) == ("failed", "UNKNOWN_TICKER")
    assert await watched(desk) == ["TSLA", "AAPL"]


async def test_the_list_of_another_account_is_left_alone(desk: DeskClient) -> None:
    opened = await desk.post("/api/accounts", json={"name": "b", "cash_balance": 1})
    headers = {"X-Account": opened.json()["id"]}
    before = await watched(desk)
    desk.prices.prices["ORCL"] = "10"
    body = {"kind": KIND, "rows": ["ORCL"], "mode": "auto"}
    made = await desk.post("/api/jobs", json=body, headers=headers)
    path = f"/api/jobs/{made.json()['id']}"
    while not (await desk.get(path, headers=headers)).json()["completed_at"]:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert await watched(desk) == before
    async with desk.app.state.database.read() as session:
        query = select(WatchlistEntry.user_id).where(WatchlistEntry.ticker == "ORCL")
        assert (await session.scalars(query)).all() == [headers["X-Account"]]
    await assert_books_hold(desk.app.state.database)
