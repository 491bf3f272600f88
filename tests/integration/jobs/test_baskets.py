"""Baskets from JSON: each row has its own outcome."""

from decimal import Decimal
from typing import Any

import pytest

from support.desk import DeskClient
from support.jobs import (
    ask,
    buy,
    cash,
    ended,
    job,
    make_job,
    previewed,
    rows,
    run_job,
    sell,
)


async def test_each_row_has_an_outcome_of_its_own(desk: DeskClient) -> None:
    given = [buy(quantity=2), buy(quantity=10_000), sell("MSFT"), buy("NOPE"), {"side": "bu"}, 7]
    done = await run_job(desk, given)
    found = await rows(desk, done["id"])

    assert [(row["row_number"], row["status"], row["error_code"]) for row in found] == [
        (1, "completed", None),
        (2, "failed", "INSUFFICIENT_CASH"),
        (3, "failed", "INSUFFICIENT_SHARES"),
        (4, "failed", "UNKNOWN_TICKER"),
        (5, "failed", "INVALID_REQUEST"),
        (6, "failed", "INVALID_REQUEST"),
    ]
    assert [row["data"] for row in found] == given
    assert "side: must be" in found[4]["error_message"]
    assert found[0]["cost_cents"] == done["total_cost_cents"] == 38050
    assert (done["status"], done["successful_rows"], done["failed_rows"]) == ("completed", 1, 5)
    orders = (await desk.get("/api/orders")).json()
    assert [(order["id"], order["source"]) for order in orders] == [(found[0]["order_id"], "job")]
    assert orders[0]["client_order_id"] == f"job:{done['id']}:1"


async def test_a_job_of_which_nothing_can_be_booked_has_failed(desk: DeskClient) -> None:
    done = await run_job(desk, [sell(), {}])
    assert (done["status"], done["error_code"]) == ("failed", "NOTHING_BOOKED")


async def test_a_sale_brings_the_cash_for_the_purchase_after_it(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 50)
    done = await run_job(desk, [sell(quantity=50), buy("MSFT", 20)])
    assert done["successful_rows"] == 2
    costs = [row["cost_cents"] for row in await rows(desk, done["id"])]
    assert costs == [-951250, 801000]


async def test_an_order_that_rests_is_a_row_that_is_completed(desk: DeskClient) -> None:
    done = await run_job(desk, [buy(type="limit", limit_price=50, strategy="dip", note="later")])
    [row] = await rows(desk, done["id"])
    assert (row["status"], row["cost_cents"]) == ("completed", 0)
    assert "waits" in row["warning"]
    order = (await desk.get(f"/api/orders/{row['order_id']}")).json()
    assert (order["status"], order["strategy"], order["note"]) == ("new", "dip", "later")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rows": []},
        {"rows": {}},
        {"rows": [1], "kind": "unknown"},
        {"rows": [1], "mode": "now"},
        {"rows": [1], "more": 1},
        {"rows": [1], "name": "a\0b"},
        {"rows": [buy()] * 1001, "atomicity": "all"},
    ],
)
async def test_only_a_wrong_envelope_is_refused(desk: DeskClient, body: Any) -> None:
    answer = await desk.post("/api/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert (await desk.get("/api/jobs")).json() == []


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "a\0b",
        {"a\0": "b"},
        {"ticker": 10**40},
        {"quantity": {"deep": [[[[1]]]]}},
        {str(n): n for n in range(1000)},
        {"note": "x" * 100_000},
    ],
)
async def test_whatever_a_row_is_it_is_kept_and_fails_alone(desk: DeskClient, row: Any) -> None:
    done = await run_job(desk, [row, buy()])
    assert (done["failed_rows"], done["successful_rows"]) == (1, 1)
    assert (await desk.get(f"/api/jobs/{done['id']}/rows")).status_code == 200


@pytest.mark.parametrize("number", ["1e500", "1E+70", "NaN", "1" * 70])
async def test_absurd_numbers_in_rows_are_no_error_of_the_desk(
    desk: DeskClient, number: str
) -> None:
    body = f'{{"rows": [{{"ticker": "AAPL", "side": "buy", "quantity": {number}}}]}}'
    answer = await desk.post(
        "/api/jobs", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in {201, 422}, answer.text
    if answer.status_code == 201:
        [row] = await rows(desk, answer.json()["id"])
        assert row["status"] == "failed"


async def test_a_key_makes_one_job_for_ever(desk: DeskClient) -> None:
    headers = {"Idempotency-Key": "monday"}
    body = {"rows": [buy()], "mode": "auto"}
    first = await desk.post("/api/jobs", json=body, headers=headers)
    await ended(desk, first.json()["id"])
    again = await desk.post("/api/jobs", json=body, headers=headers)
    other = await desk.post("/api/jobs", json={"rows": [buy("MSFT")]}, headers=headers)

    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "completed"
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert len((await desk.get("/api/jobs")).json()) == 1


async def test_lists_are_paged_and_filtered(desk: DeskClient) -> None:
    made = [(await make_job(desk, [buy()] * 3))["id"] for _ in range(3)]
    page = await desk.get("/api/jobs", params={"limit": 2, "kind": "basket"})
    assert [each["id"] for each in page.json()] == made[:0:-1]
    following = await desk.get(page.headers["link"].split(">")[0][1:])
    assert [each["id"] for each in following.json()] == made[:1]

    await previewed(desk, made[0])
    page = await desk.get(f"/api/jobs/{made[0]}/rows", params={"limit": 2, "status": "pending"})
    assert [row["row_number"] for row in page.json()] == [1, 2]
    following = await desk.get(page.headers["link"].split(">")[0][1:])
    assert [row["row_number"] for row in following.json()] == [3]
    assert (await desk.get("/api/jobs", params={"status": "running"})).json() == []


async def test_a_deleted_job_leaves_what_it_booked(desk: DeskClient) -> None:
    done = await run_job(desk, [buy()])
    before = await cash(desk)
    assert (await desk.delete(f"/api/jobs/{done['id']}")).status_code == 204
    assert (await desk.get(f"/api/jobs/{done['id']}")).status_code == 404
    assert (await desk.delete(f"/api/jobs/{done['id']}")).status_code == 404
    assert await cash(desk) == before == Decimal("9809.75")
    assert len((await desk.get("/api/trades")).json()) == 1


async def test_the_log_of_a_job_says_what_became_of_it(desk: DeskClient) -> None:
    made = await make_job(desk, [buy(), sell("MSFT")])
    await previewed(desk, made["id"])
    await ask(desk, made["id"], "start")
    await ended(desk, made["id"])
    log = (await desk.get(f"/api/jobs/{made['id']}/logs")).json()
    assert [line["message"].split(".")[0] for line in log] == [
        "It was made, with 2 rows",
        "Its rows are estimated: $190",
        "It was asked to start",
        "Row 2 is failed",
        "It is completed",
    ]
    assert log[3]["row_number"] == 2
    assert (await job(desk, made["id"]))["started_at"] is not None


async def test_a_command_is_a_basket_of_what_it_means(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 3)
    await desk.trade("MSFT", "buy", 2)
    body = {"original_command": "sell half of everything", "mode": "auto"}
    headers = {"Idempotency-Key": "half"}
    answer = await desk.post("/api/jobs", json=body, headers=headers)
    done = await ended(desk, answer.json()["id"])
    assert done["original_command"] == done["name"] == "sell half of everything"
    assert [row["data"] for row in await rows(desk, done["id"])] == [
        sell("AAPL", "1.5"),
        sell("MSFT", "1"),
    ]
    # Again under its key it means what it meant, and sells nothing more.
    again = await desk.post("/api/jobs", json=body, headers=headers)
    assert again.json()["id"] == done["id"]
    assert len((await desk.get("/api/trades")).json()) == 4


@pytest.mark.parametrize("command", ["sell half of NVDA", "make me rich", "sell everything"])
async def test_a_command_that_cannot_be_is_refused(desk: DeskClient, command: str) -> None:
    answer = await desk.post("/api/jobs", json={"original_command": command})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
