"""The preview: the same code as the booking, of which nothing stays but the rows' estimates."""

from typing import Any

import pytest
from sqlalchemy import Connection

from paperdesk.db.engine import Database
from support.desk import DeskClient
from support.jobs import ask, buy, ended, make_job, previewed, rows, sell
from support.rows import everything

OF_JOBS = {"jobs", "job_rows", "audit_logs"}
BESIDE = {
    *("quotes", "price_bars", "portfolio_snapshots", "desk_meta", "proofs"),
    # Scores of the stocks, some seconds after the start.
    *("stocks", "score_snapshots"),
}
"""What the desk writes of its own accord meanwhile."""


async def books_of(database: Database) -> dict[str, Any]:
    """Return every row of every table that a preview must leave alone."""

    def read(connection: Connection) -> dict[str, Any]:
        found = everything(connection)
        return {name: found[name] for name in found.keys() - OF_JOBS - BESIDE}

    async with database.reader.connect() as connection:
        return await connection.run_sync(read)


async def test_an_estimate_says_what_each_row_would_cost_and_changes_nothing(
    desk: DeskClient,
) -> None:
    await desk.trade("AAPL", "buy", 5)
    database = desk.app.state.database
    before = await books_of(database)
    given = [
        sell(quantity=5),
        buy("MSFT", 24),
        buy("MSFT", 24),
        buy(type="limit", limit_price=100),
        {},
    ]
    made = await make_job(desk, given)
    found = await previewed(desk, made["id"])

    assert await books_of(database) == before
    shown = await rows(desk, made["id"])
    assert [(r["status"], r["cost_cents"], r["error_code"]) for r in shown] == [
        ("pending", -95125, None),
        # With what the first one brings; the second time it is not there any more.
        ("pending", 961200, None),
        ("pending", 0, "INSUFFICIENT_CASH"),
        ("pending", 10000, None),
        ("failed", 0, "INVALID_REQUEST"),
    ]
    assert "waits" in shown[3]["warning"]
    assert (found["status"], found["total_cost_cents"]) == ("pending", 961200 - 95125 + 10000)

    await ask(desk, made["id"], "start")
    done = await ended(desk, made["id"])
    booked = await rows(desk, made["id"])
    assert [r["cost_cents"] for r in booked] == [-95125, 961200, 0, 0, 0]
    assert done["total_cost_cents"] == 961200 - 95125


async def test_an_estimate_goes_on_over_many_stretches(desk: DeskClient) -> None:
    # 52 at 190.25 are all that the cash buys, whichever stretch they are in.
    made = await make_job(desk, [buy()] * 150)
    found = await previewed(desk, made["id"])
    shown = await rows(desk, made["id"])
    assert [r["row_number"] for r in shown if r["error_code"] is None] == list(range(1, 53))
    assert found["total_cost_cents"] == 52 * 19025


async def test_a_changed_row_is_estimated_anew(desk: DeskClient) -> None:
    made = await make_job(desk, [buy(quantity=50), buy(quantity=50)])
    await previewed(desk, made["id"])
    changed = await desk.patch(f"/api/jobs/{made['id']}/rows/1", json={"data": buy()})
    assert changed.json()["status"] == "pending"
    found = await previewed(desk, made["id"])
    assert found["total_cost_cents"] == 51 * 19025
    wrong = await desk.patch(f"/api/jobs/{made['id']}/rows/1", json={"data": {}})
    assert wrong.json()["status"] == "failed"
    mended = await desk.patch(f"/api/jobs/{made['id']}/rows/1", json={"data": buy()})
    assert mended.json()["status"] == "pending"


@pytest.mark.parametrize("wrong", [sell("MSFT"), {}, buy("NOPE")])
async def test_all_or_nothing_books_nothing_where_a_row_is_refused(
    desk: DeskClient, wrong: dict[str, Any]
) -> None:
    made = await make_job(desk, [buy(), wrong, buy()], mode="auto", atomicity="all")
    done = await ended(desk, made["id"])
    shown = await rows(desk, made["id"])
    assert done["status"] == "failed"
    assert [r["status"] for r in shown] == ["skipped", "failed", "skipped"]
    assert [r["error_code"] for r in shown][::2] == ["NOT_BOOKED"] * 2
    assert (await desk.get("/api/trades")).json() == []

    # Mended and tried again, all of it is booked.
    await desk.patch(f"/api/jobs/{made['id']}/rows/2", json={"data": buy("MSFT")})
    await ask(desk, made["id"], "retry")
    again = await ended(desk, made["id"])
    assert (again["status"], again["successful_rows"]) == ("completed", 3)
    assert len((await desk.get("/api/trades")).json()) == 3
