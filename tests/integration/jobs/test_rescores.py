"""Stocks scored anew as jobs: all of them, or those of some domains, each a row."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import pytest
from sqlalchemy import select

from paperdesk.errors import ReadOnly
from paperdesk.models import Job, ScoreSnapshot
from paperdesk.research import fetcher
from paperdesk.research.stock_source import Found
from support.desk import DeskClient, open_desk
from support.jobs import ask, assert_counted, ended, job, rows
from support.keys import bearer, make_admin, make_key
from support.stocks import SEEDED, ScriptedStocks
from support.trail import trail


class SlowStocks(ScriptedStocks):
    """Answers once it is let; `asking` says that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asking, self.let = asyncio.Event(), asyncio.Event()
        self.let.set()

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Found]:
        self.asking.set()
        await self.let.wait()
        return await super().fetch(tickers)


@pytest.fixture
def stocks() -> SlowStocks:
    return SlowStocks()


@pytest.fixture
async def desk(
    database_url: str, stocks: SlowStocks, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[DeskClient]:
    """Run a desk that scores when it is asked to, and not by itself."""
    monkeypatch.setattr(fetcher, "SETTLING", 1_000.0)
    monkeypatch.setattr("paperdesk.desk.stock_source_for", lambda *_: stocks)
    async with open_desk(database_url) as client:
        await client.app.state.worker.started.wait()
        yield client
        await assert_counted(client.app.state.database)


async def make(desk: DeskClient, **body: Any) -> str:
    answer = await desk.post(
        "/api/jobs", json={"kind": "rescore", "mode": "auto", "rows": [{}]} | body
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def told(done: int | None = None, total: int | None = None) -> None:
    """Take how far a row is, and have it go on."""


async def scored(desk: DeskClient) -> list[str]:
    async with desk.app.state.database.read() as session:
        return sorted(await session.scalars(select(ScoreSnapshot.ticker)))


async def test_all_stocks_are_fetched_in_one_call(desk: DeskClient, stocks: SlowStocks) -> None:
    del stocks.prices["RIVN"]
    done = await ended(desk, await make(desk))

    assert (done["status"], done["total_rows"], done["successful_rows"]) == ("completed", 1, 1)
    [row] = await rows(desk, done["id"])
    assert row["effect"] | {"fetched_at": None} == {
        "domain": None,
        "fetched_at": None,
        "stocks": 9,
        "scored": 8,
        "no_price": ["RIVN"],
        "changed": [],
    }
    assert stocks.asked == [list(SEEDED)]
    assert await scored(desk) == [each for each in SEEDED if each != "RIVN"]


async def test_each_domain_is_a_row_and_fails_by_itself(
    desk: DeskClient, stocks: SlowStocks
) -> None:
    given = [{"domain": name} for name in ("EV", "Energy", "", "Finance")]
    done = await ended(desk, await make(desk, rows=[*given, "EV", {"sector": "EV"}]))

    found = await rows(desk, done["id"])
    assert [(row["status"], row["error_code"]) for row in found] == [
        ("completed", None),
        ("failed", "NOT_FOUND"),
        ("failed", "INVALID_REQUEST"),
        ("completed", None),
        ("failed", "INVALID_REQUEST"),
        ("failed", "INVALID_REQUEST"),
    ]
    assert found[2]["error_message"].startswith("domain: ")
    assert (done["status"], done["successful_rows"], done["failed_rows"]) == ("completed", 2, 4)
    assert stocks.asked == [["RIVN", "TSLA"], ["GS", "JPM"]]
    assert await scored(desk) == ["GS", "JPM", "RIVN", "TSLA"]


async def test_the_log_and_the_trail_say_what_it_did(desk: DeskClient, stocks: SlowStocks) -> None:
    del stocks.prices["GS"]
    job_id = await make(desk, rows=[{"domain": "Finance"}, {"domain": "Energy"}])
    await ended(desk, job_id)

    logs = (await desk.get(f"/api/jobs/{job_id}/logs")).json()
    said = {each["row_number"]: each for each in logs if each["row_number"]}
    assert (said[1]["message"], said[1]["level"]) == ("Row 1 is completed.", "INFO")
    assert (said[1]["details"]["scored"], said[1]["details"]["no_price"]) == (1, ["GS"])
    assert said[2]["level"] == "WARNING"
    assert said[2]["message"].startswith("Row 2 is failed. NOT_FOUND: ")
    lines = await trail(desk.app.state.database)
    assert [each.action for each in lines if each.subject == job_id] == [
        "job.made",
        "job.changed",
    ]


async def test_what_the_source_did_not_give_is_asked_for_again(
    desk: DeskClient, stocks: SlowStocks
) -> None:
    stocks.down = "It is away."
    failed = await ended(desk, await make(desk))
    assert (failed["status"], failed["error_code"]) == ("failed", "PRICE_UNAVAILABLE")
    assert failed["error_message"] == "It is away."

    stocks.down = None
    await ask(desk, failed["id"], "retry")
    done = await ended(desk, failed["id"])
    assert (done["status"], done["error_code"], done["successful_rows"]) == ("completed", None, 1)
    assert await scored(desk) == list(SEEDED)


@pytest.mark.parametrize(("event", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_it_stops_between_two_domains(
    desk: DeskClient, stocks: SlowStocks, event: str, status: str
) -> None:
    stocks.let.clear()
    job_id = await make(desk, rows=[{"domain": "EV"}, {"domain": "Finance"}])
    async with asyncio.timeout(20):
        await stocks.asking.wait()
        await ask(desk, job_id, event)
        stocks.let.set()
        while (await job(desk, job_id))["processed_rows"] < 1:  # noqa: ASYNC110 - it is told over HTTP
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    stopped = await job(desk, job_id)
    assert (stopped["status"], stopped["processed_rows"]) == (status, 1)
    assert stocks.asked == [["RIVN", "TSLA"]]

    if event == "pause":
        await ask(desk, job_id, "resume")
        assert (await ended(desk, job_id))["successful_rows"] == 2
        assert stocks.asked == [["RIVN", "TSLA"], ["GS", "JPM"]]


async def test_it_waits_for_its_start_and_its_rows_stay(
    desk: DeskClient, stocks: SlowStocks
) -> None:
    job_id = await make(desk, mode="confirm", rows=[{"domain": "EV"}])
    change = await desk.patch(f"/api/jobs/{job_id}/rows/1", json={"data": {"domain": "Finance"}})
    assert (change.status_code, change.json()["code"]) == (422, "INVALID_REQUEST")
    assert stocks.asked == []
    await ask(desk, job_id, "start")
    await ended(desk, job_id)
    undo = await desk.post(f"/api/jobs/{job_id}/undo")
    assert (undo.status_code, undo.json()["code"]) == (409, "INVALID_STATE")


async def test_a_closed_desk_stores_no_scores(desk: DeskClient, stocks: SlowStocks) -> None:
    job_id = await make(desk, mode="confirm")
    kind = desk.app.state.job_kinds.named("rescore")
    await desk.app.state.standing.close([{"what": "wrong"}])
    async with desk.app.state.database.read() as session:
        found = await session.get_one(Job, job_id)
    with pytest.raises(ReadOnly):
        await kind.run(found, kind.check({}, None), told)
    assert stocks.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": [{}] * 101},
        {"original_command": "EV"},
        {"rows": [{"domain": "EV"}] * 2, "atomicity": "all"},
        {},
        {"rows": []},
    ],
)
async def test_a_wrong_envelope_is_refused(desk: DeskClient, wrong: dict[str, Any]) -> None:
    answer = await desk.post("/api/jobs", json={"kind": "rescore"} | wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


async def test_it_is_for_who_may_do_all(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    trader = (await make_key(desk, "trade", by=admin))["key"]
    bound = (await make_key(desk, "admin", by=admin, account_id="default"))["key"]
    for key in (trader, bound):
        answer = await desk.post("/api/jobs", json={"kind": "rescore"}, headers=bearer(key))
        assert answer.status_code == 403, answer.text
