"""POST /api/corporate-actions, over HTTP."""

from typing import Any

import pytest

from support.desk import DeskClient
from support.trading import assert_books_hold

SPLIT = {"kind": "split", "ticker": "AAPL", "key": "AAPL 4:1", "numerator": 4}


async def act(desk: DeskClient, body: dict[str, Any], status: int = 200) -> Any:
    answer = await desk.post("/api/corporate-actions", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_split_is_booked_once_and_shown(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 10)
    order = (
        await desk.post(
            "/api/orders",
            json={"ticker": "AAPL", "side": "sell", "quantity": 4, "type": "limit",
                  "limit_price": 4000, "time_in_force": "gtc"},
        )
    ).json()  # fmt: skip
    (first,) = (await act(desk, SPLIT))["results"]
    (again,) = (await act(desk, SPLIT))["results"]
    assert (first["status"], first["replayed"], again["replayed"]) == ("booked", False, True)
    assert (first["adjustment"]["numerator"], first["orders"]) == (4, [order["id"]])
    (position,) = (await desk.get("/api/portfolio")).json()["positions"]
    assert (position["quantity"], position["available_quantity"]) == (40, 24)
    shown = (await desk.get(f"/api/orders/{order['id']}")).json()
    assert (shown["quantity"], shown["limit_price"]) == (16, 1000)
    (entry, *_) = (await desk.get("/api/journal")).json()
    assert (entry["table"], entry["key"]) == ("position_adjustments", "AAPL 4:1")
    await assert_books_hold(desk.app.state.database)


async def test_every_account_that_it_concerns_has_a_result(desk: DeskClient) -> None:
    opened = [(await desk.post("/api/accounts", json={"name": name})).json()["id"] for name in "ab"]
    for account in ("default", opened[0]):
        await desk.trade("AAPL", "buy", 1, headers={"X-Account": account})
    answer = await act(desk, SPLIT | {"every_account": True})
    assert {one["account"]: one["status"] for one in answer["results"]} == {
        "default": "booked",
        opened[0]: "booked",
    }


async def test_a_dividend_is_found_by_its_ticker(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 10)
    body = {"kind": "dividend", "ticker": "AAPL", "key": "q4", "per_share": "0.26"}
    (result,) = (await act(desk, body))["results"]
    assert (result["movement"]["amount"], result["movement"]["ticker"]) == (2.6, "AAPL")
    listed = (await desk.get("/api/journal?ticker=AAPL&table=cash_movements")).json()
    assert [entry["amount"] for entry in listed] == [2.6]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "merger"}, 422, "INVALID_REQUEST"),
        ({"numerator": 0}, 422, "INVALID_REQUEST"),
        ({"numerator": 1}, 422, "INVALID_REQUEST"),
        ({"key": ""}, 422, "INVALID_REQUEST"),
        ({"key": "opening"}, 422, "INVALID_REQUEST"),
        ({"ticker": "?"}, 422, "INVALID_REQUEST"),
        ({"effective_at": "2999-01-01T00:00:00Z"}, 422, "INVALID_REQUEST"),
        ({"effective_at": "2020-01-01"}, 422, "INVALID_REQUEST"),
        ({"key": "paid"}, 409, "IDEMPOTENCY_MISMATCH"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: DeskClient, body: dict[str, Any], status: int, code: str
) -> None:
    await desk.trade("AAPL", "buy", 10, client_order_id="paid")
    before = (await desk.get("/api/journal")).json()
    assert (await act(desk, SPLIT | body, status))["code"] == code
    assert (await desk.get("/api/journal")).json() == before


@pytest.mark.parametrize("kind", ["split", "dividend"])
async def test_a_time_before_all_time_is_refused(desk: DeskClient, kind: str) -> None:
    await desk.trade("AAPL", "buy", 10)
    body = {"kind": kind, "ticker": "AAPL", "key": "k"}
    body |= {"numerator": 2} if kind == "split" else {"per_share": 1}
    for at in ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"):
        told = await act(desk, body | {"effective_at": at}, 422)
        assert told["code"] == "INVALID_REQUEST"
    assert len((await desk.get("/api/journal")).json()) == 2
