"""Undo: cash comes back to the last digit, and what cannot be taken back needs a review."""

import random
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.models import CostBasis
from support.desk import DeskClient
from support.jobs import ask, buy, cash, ended, make_job, rows, run_job, sell
from support.trading import assert_books_hold

TICKERS = ["AAPL", "MSFT", "BRK.B", "TSLA"]


async def undone(desk: DeskClient, job_id: str) -> dict[str, Any]:
    await ask(desk, job_id, "undo")
    return await ended(desk, job_id)


async def positions(desk: DeskClient) -> dict[str, Any]:
    shown = (await desk.get("/api/portfolio")).json()["positions"]
    return {each["ticker"]: each["quantity"] for each in shown}


@pytest.mark.parametrize("short_selling", [False, True], ids=["long", "short"])
@pytest.mark.parametrize("method", [each for each in CostBasis if each is not CostBasis.named])
async def test_cash_and_shares_come_back_to_the_last_digit(
    desk: DeskClient, method: CostBasis, *, short_selling: bool
) -> None:
    """Whatever was bought and sold, through zero and back, at prices that do not divide evenly."""
    rng = random.Random(f"undo-{method}")
    fees = {
        "commission_per_share": "0.0037",
        "commission_percent": "0.1234",
        "commission_minimum": "0.35",
    }
    rules = {
        "cost_basis": method.value,
        "fill_model": fees,
        "short_selling": {"enabled": short_selling},
    }
    changed = await desk.patch("/api/accounts/default", json=rules)
    assert changed.status_code == 200, changed.text
    for ticker in TICKERS[:3]:
        await desk.trade(ticker, "buy", "0.123456789" if short_selling else "2.123456789")
    before, held = await cash(desk), await positions(desk)
    through_zero = [sell("MSFT", 3), buy("MSFT", 5), sell("MSFT", 12)] if short_selling else []
    given = [
        *through_zero,
        *(
            {
                "ticker": rng.choice(TICKERS),
                "side": rng.choice(["buy", "sell"]),
                "quantity": str(Decimal(rng.randrange(1, 10**9)).scaleb(-9)),
            }
            for _ in range(40)
        ),
        buy(quantity=1, type="limit", limit_price=10),
    ]
    done = await run_job(desk, given)
    assert done["successful_rows"] > 20
    assert await cash(desk) != before
    assert (min((await positions(desk)).values()) < 0) is short_selling

    after = await undone(desk, done["id"])

    assert (after["status"], after["successful_rows"]) == ("cancelled", 0)
    assert after["undone_at"] is not None
    assert after["total_cost_cents"] == 0
    assert await cash(desk) == before
    assert await positions(desk) == held
    assert {r["error_code"] for r in await rows(desk, done["id"]) if r["order_id"]} == {"UNDONE"}
    assert (await desk.get("/api/orders", params={"status": "open"})).json() == []
    await assert_books_hold(desk.app.state.database)
    assert (await desk.post("/api/verify")).json()["problems"] == []


async def test_a_row_whose_shares_are_gone_needs_a_review(desk: DeskClient) -> None:
    done = await run_job(desk, [buy(quantity=3), buy("MSFT", 1)])
    await desk.trade("AAPL", "sell", 2)
    after = await undone(desk, done["id"])
    shown = await rows(desk, done["id"])
    assert [r["status"] for r in shown] == ["needs_review", "skipped"]
    assert shown[0]["error_code"] == "INSUFFICIENT_SHARES"
    assert after["status"] == "cancelled"

    # Once they are there again it can be undone, and then nothing is left to undo.
    await desk.trade("AAPL", "buy", 2)
    await undone(desk, done["id"])
    assert [r["status"] for r in await rows(desk, done["id"])] == ["skipped", "skipped"]
    again = await desk.post(f"/api/jobs/{done['id']}/undo")
    assert (again.status_code, again.json()["code"]) == (409, "INVALID_STATE")


async def test_shares_that_were_split_since_need_a_review(desk: DeskClient) -> None:
    done = await run_job(desk, [buy(quantity=3)])
    split = {"kind": "split", "key": "split", "ticker": "AAPL", "numerator": 2}
    assert (await desk.post("/api/corporate-actions", json=split)).is_success
    await undone(desk, done["id"])
    [row] = await rows(desk, done["id"])
    assert (row["status"], row["error_code"]) == ("needs_review", "INVALID_STATE")


async def test_the_journal_only_grows(desk: DeskClient) -> None:
    done = await run_job(desk, [buy(quantity=3, strategy="dip")])
    before = (await desk.get("/api/journal")).json()
    await undone(desk, done["id"])
    after = (await desk.get("/api/journal")).json()
    assert after[-len(before) :] == before
    [back, _] = (await desk.get("/api/trades")).json()
    assert (back["side"], back["price"], back["fee"]) == ("sell", 190.25, 0)
    assert (back["source"], back["strategy"]) == ("undo", "dip")


async def test_an_undo_that_is_cancelled_goes_on_when_asked_again(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 1)
    before = await cash(desk)
    done = await run_job(desk, [buy(quantity="0.01")] * 100 + [sell(quantity="0.01")] * 50)
    await ask(desk, done["id"], "undo")
    stopped = await desk.post(f"/api/jobs/{done['id']}/cancel")
    await ended(desk, done["id"])
    if stopped.status_code == 200:
        again = await desk.post(f"/api/jobs/{done['id']}/undo")
        assert again.status_code in {200, 409}
        await ended(desk, done["id"])
    assert await cash(desk) == before


async def test_what_a_cancelled_job_booked_can_be_undone(desk: DeskClient) -> None:
    before = await cash(desk)
    made = await make_job(desk, [buy(quantity="0.01")] * 200, mode="auto")
    answer = await desk.post(f"/api/jobs/{made['id']}/cancel")
    done = await ended(desk, made["id"])
    if done["successful_rows"]:
        await undone(desk, made["id"])
    assert answer.status_code in {200, 409}
    assert await cash(desk) == before


async def test_the_last_row_is_undone_first(desk: DeskClient) -> None:
    """Else the shares that the first one bought would not be there: the second sold them."""
    before = await cash(desk)
    many = [buy(quantity="0.01")] * 70 + [sell(quantity="0.01")] * 70
    done = await run_job(desk, [buy("MSFT", 2), sell("MSFT", 2), *many])
    await undone(desk, done["id"])
    assert {row["error_code"] for row in await rows(desk, done["id"])} == {"UNDONE"}
    assert await cash(desk) == before
