"""Minutes of the past from Massive, stored where there are none, as jobs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from paperdesk.clock import SystemClock, utc_now
from paperdesk.db.engine import Database
from paperdesk.jobs import backfill
from paperdesk.market.bars import Bar, Timeframe
from paperdesk.market.simulator import Simulator
from paperdesk.models import PriceBar
from support.desk import DeskClient, open_desk
from support.jobs import ask, assert_counted, ended, job, rows
from support.keys import bearer, make_admin, make_key
from support.massive import KEY, MINUTE, MassivePast, listed, milliseconds, minute

NOT_SANE: list[dict[str, Any]] = [
    {"o": "0"},
    {"l": "-1"},
    {"c": "NaN"},
    {"h": "Infinity"},
    {"c": "null"},
    {"c": '"190.25"'},
    {"c": "true"},
    {"h": "1000000000.01", "c": "1000000000.01"},
    {"c": "1e999999"},
    {"c": "1e999999999999999999999"},
    {"l": "0.0000000001"},
    {"h": "190.2"},
    {"l": "190.2"},
    {"v": "-1"},
    {"v": "NaN"},
    {"v": "1e10"},
]
"""What is wrong with bars that may not be stored."""
BEGAN = utc_now().replace(hour=15, minute=0, second=0, microsecond=0) - timedelta(days=5)
ROW = {"ticker": "AAPL", "from": BEGAN.isoformat(), "to": (BEGAN + 60 * MINUTE).isoformat()}


@pytest.fixture
def massive() -> MassivePast:
    past = MassivePast()
    past.minutes["AAPL"] = [minute(BEGAN + n * MINUTE, f"190.0{n}") for n in range(1, 8)]
    return past


@pytest.fixture
async def desk(database_url: str, massive: MassivePast) -> AsyncIterator[DeskClient]:
    async with open_desk(database_url, source=massive.source(SystemClock())) as client:
        await client.app.state.worker.started.wait()
        yield client
        await assert_counted(client.app.state.database)


async def make(desk: DeskClient, *given: Any, **body: Any) -> str:
    body = {"kind": "backfill", "mode": "auto", "rows": list(given) or [ROW]} | body
    answer = await desk.post("/api/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def effect(desk: DeskClient, *given: Any) -> dict[str, Any]:
    """Run a job of one row, and return what came of it."""
    done = await ended(desk, await make(desk, *given))
    assert done["status"] == "completed", done
    [row] = await rows(desk, done["id"])
    return row["effect"]


async def failed(desk: DeskClient, *given: Any) -> tuple[str, str]:
    """Run a job of one row, and return why it failed."""
    done = await ended(desk, await make(desk, *given))
    assert done["status"] == "failed", done
    return done["error_code"], done["error_message"]


async def stored(database: Database) -> list[Bar]:
    query = select(PriceBar).where(PriceBar.timeframe == "1m", PriceBar.ticker == "AAPL")
    async with database.read() as session:
        found = await session.scalars(query.order_by(PriceBar.start))
        return [Bar(b.ticker, b.start, b.open, b.high, b.low, b.close, b.volume) for b in found]


async def minutes(desk: DeskClient) -> list[int]:
    """Return which minutes after BEGAN are stored."""
    return [(bar.start - BEGAN) // MINUTE for bar in await stored(desk.app.state.database)]


async def record(desk: DeskClient, *bars: Bar) -> None:
    """Store minutes as the desk's own."""
    values = {"ticker": "AAPL", "timeframe": Timeframe.minute.value}
    names = ("start", "open", "high", "low", "close", "volume")
    async with desk.app.state.database.write() as session:
        for bar in bars:
            session.add(PriceBar(**values, **{name: getattr(bar, name) for name in names}))


async def test_minutes_are_fetched_page_by_page_and_stored_to_the_last_digit(
    desk: DeskClient, massive: MassivePast
) -> None:
    massive.minutes["AAPL"][6]["c"] = "190.1234567891"
    massive.minutes["AAPL"][6]["v"] = "1.2e3"
    done = await ended(desk, await make(desk))

    [row] = await rows(desk, done["id"])
    assert row["effect"] == {
        "ticker": "AAPL",
        "from": f"{BEGAN:%Y-%m-%dT%H:%M:%S.%fZ}",
        "to": f"{BEGAN + 60 * MINUTE:%Y-%m-%dT%H:%M:%S.%fZ}",
        "stored": 7,
        "there_already": 0,
        "refused": 0,
        "first": f"{BEGAN + MINUTE:%Y-%m-%dT%H:%M:%S.%fZ}",
        "last": f"{BEGAN + 7 * MINUTE:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    first, *_, last = await stored(desk.app.state.database)
    prices = [Decimal(each) for each in ("190.1", "190.5", "189.987654321", "190.01", "1234.5")]
    assert first == Bar("AAPL", BEGAN + MINUTE, *prices)
    assert (last.close, last.volume) == (Decimal("190.123456789"), Decimal(1200))
    assert (done["steps_done"], done["steps_total"]) == (60, 60)
    shown = await desk.get("/api/prices/AAPL/bars", params={"timeframe": "1h"})
    assert shown.json()[0]["volume"] == 6 * 1234.5 + 1200


async def test_massive_is_asked_for_what_was_traded_and_the_key_goes_to_no_other_host(
    desk: DeskClient, massive: MassivePast
) -> None:
    await effect(desk)
    first, *more = massive.asked
    until = milliseconds(BEGAN + 60 * MINUTE) - 1
    assert first.url.path == f"/v2/aggs/ticker/AAPL/range/1/minute/{milliseconds(BEGAN)}/{until}"
    assert dict(first.url.params) == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert [dict(each.url.params) for each in more] == [{"cursor": "3"}, {"cursor": "6"}]
    assert {each.url.host for each in massive.asked} == {"api.massive.com"}
    assert {each.headers["Authorization"] for each in massive.asked} == {f"Bearer {KEY}"}


async def test_what_the_desk_recorded_stays_and_a_second_run_adds_nothing(
    desk: DeskClient,
) -> None:
    own = Bar("AAPL", BEGAN + 2 * MINUTE, *map(Decimal, (1, 3, 1, 2)))
    await record(desk, own)
    once = await effect(desk)
    assert (once["stored"], once["there_already"]) == (6, 1)
    before = await stored(desk.app.state.database)
    assert before[1] == own

    again = await effect(desk)
    assert (again["stored"], again["there_already"]) == (0, 7)
    assert (again["first"], again["last"]) == (once["first"], once["last"])
    assert await stored(desk.app.state.database) == before


async def test_bars_that_are_not_sane_are_refused_and_the_others_stored(
    desk: DeskClient, massive: MassivePast
) -> None:
    bad = [minute(BEGAN + n * MINUTE) | wrong for n, wrong in enumerate(NOT_SANE, 10)]
    massive.wrong.append(listed([massive.minutes["AAPL"][0], *bad, massive.minutes["AAPL"][1]]))
    found = await effect(desk)
    assert await minutes(desk) == [1, 2]
    assert (found["stored"], found["refused"]) == (2, len(NOT_SANE))


async def test_it_waits_as_long_as_massive_asks_for_and_goes_on_where_it_was(
    desk: DeskClient, massive: MassivePast
) -> None:
    massive.wrong.extend([None, httpx2.Response(429, headers={"Retry-After": "1"})])
    assert (await effect(desk))["stored"] == 7
    asked = [dict(each.url.params).get("cursor") for each in massive.asked]
    assert asked == [None, "3", "3", "6"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (httpx2.Response(401), "MASSIVE_API_KEY and that its plan has minute bars"),
        (httpx2.Response(403), "MASSIVE_API_KEY and that its plan has minute bars"),
        (httpx2.Response(500), "status 500"),
        (httpx2.Response(404), "status 404"),
        (httpx2.Response(200, content=b"<html>"), "not JSON"),
        (httpx2.Response(200, content=b'{"status": "OK"}'), "documented form"),
        (httpx2.ReadTimeout(f"Bearer {KEY}"), "ReadTimeout"),
    ],
)
async def test_what_massive_gave_before_it_failed_is_kept_and_retry_fetches_the_rest(
    desk: DeskClient,
    massive: MassivePast,
    caplog: pytest.LogCaptureFixture,
    wrong: httpx2.Response | Exception,
    said: str,
) -> None:
    massive.wrong.extend([None, wrong])
    job_id = await make(desk)
    done = await ended(desk, job_id)
    assert (done["status"], done["error_code"]) == ("failed", "PRICE_UNAVAILABLE")
    assert said in done["error_message"]
    assert "3 bars are stored" in done["error_message"]
    assert KEY not in caplog.text + done["error_message"]
    assert await minutes(desk) == [1, 2, 3]

    await ask(desk, job_id, "retry")
    assert (await ended(desk, job_id))["status"] == "completed"
    [row] = await rows(desk, job_id)
    assert (row["effect"]["stored"], row["effect"]["there_already"]) == (4, 3)
    assert await minutes(desk) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_run_that_broke_off_is_begun_anew_and_stores_no_bar_twice(
    database_url: str, massive: MassivePast
) -> None:
    massive.let.clear()
    massive.blocks_from = 1
    async with open_desk(database_url, source=massive.source(SystemClock())) as desk:
        job_id = await make(desk)
        async with asyncio.timeout(20):
            await massive.asking.wait()
        assert await minutes(desk) == [1, 2, 3]
    massive.let.set()
    async with open_desk(database_url, source=massive.source(SystemClock())) as desk:
        done = await ended(desk, job_id)
        assert done["status"] == "completed"
        [row] = await rows(desk, job_id)
        assert (row["effect"]["stored"], row["effect"]["there_already"]) == (4, 3)
        assert await minutes(desk) == [1, 2, 3, 4, 5, 6, 7]
        await assert_counted(desk.app.state.database)


@pytest.mark.parametrize(("event", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_it_stops_between_two_stretches(
    desk: DeskClient,
    massive: MassivePast,
    monkeypatch: pytest.MonkeyPatch,
    event: str,
    status: str,
) -> None:
    monkeypatch.setattr(backfill, "_STRETCH", 1)
    massive.let.clear()
    massive.blocks_from = 1
    job_id = await make(desk)
    async with asyncio.timeout(20):
        await massive.asking.wait()
    assert (await job(desk, job_id))["steps_done"] == 4
    await ask(desk, job_id, event)
    massive.let.set()
    await asyncio.sleep(0.3)
    assert (await job(desk, job_id))["status"] == status
    # That of the stretch that was on its way; those after it are not stored.
    assert await minutes(desk) == [1, 2, 3, 4]
    if event == "pause":
        await ask(desk, job_id, "resume")
        assert (await ended(desk, job_id))["status"] == "completed"
        assert await minutes(desk) == [1, 2, 3, 4, 5, 6, 7]


async def test_trades_go_on_while_massive_is_waited_for(
    database_url: str, massive: MassivePast
) -> None:
    massive.let.clear()
    source = massive.source(SystemClock())
    async with open_desk(database_url) as desk:
        desk.app.state.job_kinds.named("backfill")._source = source
        job_id = await make(desk)
        async with asyncio.timeout(20):
            await massive.asking.wait()
        assert (await desk.trade("AAPL", "buy", 1)).status_code == 200
        massive.let.set()
        assert (await ended(desk, job_id))["status"] == "completed"
        await source.close()


async def test_a_source_without_a_past_says_so_and_what_to_do(database_url: str) -> None:
    async with open_desk(database_url, source=Simulator(1, SystemClock())) as desk:
        code, message = await failed(desk)
        assert code == "INVALID_STATE"
        assert message == (
            "The price source simulator has no minutes of the past. Set MASSIVE_API_KEY: Massive "
            "has them."
        )


async def test_a_ticker_that_there_is_not_is_told_from_one_that_was_not_traded(
    desk: DeskClient, massive: MassivePast
) -> None:
    assert (await failed(desk, ROW | {"ticker": "NOPE"}))[0] == "UNKNOWN_TICKER"
    massive.minutes["QUIET"] = []
    quiet = await effect(desk, ROW | {"ticker": "quiet"})
    assert (quiet["stored"], quiet["first"], quiet["last"]) == (0, None, None)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("ticker", {"ticker": "NOT A TICKER"}),
        ("ticker", {"ticker": None}),
        ("from", {"from": "yesterday"}),
        ("from", {"from": "2026-11-02T14:30:00"}),
        ("from", {"from": "2026-13-02"}),
        ("from", {"from": 20260101}),
        ("to", {"to": "20261102"}),
        ("to", {"to": True}),
        ("from", {"from": "2025-02-02", "to": "2025-02-01"}),
        ("from", {"from": "2025-02-02T00:00:00Z", "to": "2025-02-02T00:00:00Z"}),
        ("from", {"from": "2020-01-01", "to": "2021-01-01"}),
        ("from", {"from": "2020-01-01"}),
        ("from", {"from": "8000-01-01", "to": "9999-12-31"}),
        ("from", {"from": "0001-01-01"}),
        ("since", {"since": "2025-01-01"}),
    ],
)
async def test_a_wrong_row_fails_with_the_field_named(
    desk: DeskClient, massive: MassivePast, field: str, wrong: dict[str, Any]
) -> None:
    code, message = await failed(desk, {"ticker": "AAPL"} | wrong)
    assert (code, message.partition(":")[0]) == ("INVALID_REQUEST", field)
    assert massive.asked == []


async def test_each_ticker_is_a_row_and_fails_by_itself(
    desk: DeskClient, massive: MassivePast
) -> None:
    massive.page = 50_000
    done = await ended(desk, await make(desk, ROW, ROW | {"ticker": "NOPE"}, ROW))
    assert (done["successful_rows"], done["failed_rows"]) == (2, 1)
    assert len(await minutes(desk)) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": [ROW] * 101},
        {"original_command": "AAPL"},
        {"rows": [ROW] * 2, "atomicity": "all"},
        {},
    ],
)
async def test_a_wrong_envelope_is_refused(desk: DeskClient, wrong: dict[str, Any]) -> None:
    answer = await desk.post("/api/jobs", json={"kind": "backfill"} | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


async def test_it_is_for_who_may_do_all(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    trader = (await make_key(desk, "trade", by=admin))["key"]
    bound = (await make_key(desk, "admin", by=admin, account_id="default"))["key"]
    body = {"kind": "backfill", "rows": [ROW]}
    for key in (trader, bound):
        answer = await desk.post("/api/jobs", json=body, headers=bearer(key))
        assert answer.status_code == 403, answer.text
    allowed = await desk.post("/api/jobs", json=body, headers=bearer(admin))
    assert allowed.status_code == 201
