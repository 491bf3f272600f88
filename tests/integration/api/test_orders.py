"""The routes under /api/orders and /api/positions."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from support.desk import DeskClient
from support.trading import assert_books_hold

LIMIT: dict[str, Any] = {
    "ticker": "AAPL",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "quantity": 2,
    "limit_price": "180.5",
}


def told(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_float=Decimal)


async def portfolio(desk: DeskClient) -> Any:
    return told(await desk.get("/api/portfolio"))


async def test_an_order_rests_is_shown_and_is_filled_by_its_price(desk: DeskClient) -> None:
    placed = told(await desk.post("/api/orders", json={**LIMIT, "note": "dip"}), 201)
    assert (placed["status"], placed["legs"], placed["reserved_cash"]) == ("new", [], 361)
    account = await portfolio(desk)
    assert (account["reserved_cash"], account["buying_power"]) == (361, 9_639)
    assert told(await desk.get(f"/api/orders/{placed['id']}")) == placed
    assert told(await desk.get("/api/orders?status=open")) == [
        {name: value for name, value in placed.items() if name != "legs"}
    ]

    desk.prices.prices["AAPL"] = "180"

    order = placed
    async with asyncio.timeout(20):
        while order["status"] != "filled":
            await asyncio.sleep(0.02)
            order = told(await desk.get(f"/api/orders/{placed['id']}"))
    assert order["filled_avg_price"] == 180
    assert told(await desk.get("/api/orders?status=open")) == []
    assert (await portfolio(desk))["reserved_cash"] == 0
    await assert_books_hold(desk.app.state.database)


async def test_a_key_places_an_order_once(desk: DeskClient) -> None:
    answers = await asyncio.gather(
        *(
            desk.post("/api/orders", json=LIMIT, headers={"Idempotency-Key": "once"})
            for _ in range(8)
        )
    )
    assert {told(answer, 201)["id"] for answer in answers} == {told(answers[0], 201)["id"]}
    replays = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert sorted(replays, key=str) == [None, *["true"] * 7]
    other = await desk.post("/api/orders", json={**LIMIT, "client_order_id": "once", "quantity": 3})
    assert told(other, 409)["code"] == "IDEMPOTENCY_MISMATCH"
    listed = told(await desk.get("/api/orders?client_order_id=once"))
    assert len(listed) == 1


async def test_an_order_is_replaced_and_canceled(desk: DeskClient) -> None:
    order = told(await desk.post("/api/orders", json=LIMIT), 201)
    path = f"/api/orders/{order['id']}"
    new = told(await desk.patch(path, json={"limit_price": 170, "quantity": 3}))
    assert (new["replaces"], new["limit_price"], new["quantity"]) == (order["id"], 170, 3)
    assert told(await desk.get(path))["status"] == "replaced"
    refused = told(await desk.patch(path, json={"limit_price": 160}), 409)
    assert (refused["code"], "has ended" in refused["detail"]) == ("INVALID_STATE", True)
    canceled = told(await desk.delete(f"/api/orders/{new['id']}"))
    assert (canceled["status"], canceled["reason"]) == ("canceled", "It was canceled.")
    assert told(await desk.delete(f"/api/orders/{new['id']}"), 409)["code"] == "INVALID_STATE"
    assert told(await desk.delete("/api/orders/nothing"), 404)["code"] == "NOT_FOUND"
    assert told(await desk.get("/api/orders/nothing"), 404)["code"] == "NOT_FOUND"
    assert (await portfolio(desk))["reserved_cash"] == 0


async def test_a_bracket_comes_with_its_exits(desk: DeskClient) -> None:
    body = {
        "ticker": "AAPL",
        "side": "buy",
        "quantity": 2,
        "order_class": "bracket",
        "take_profit": {"limit_price": 210},
        "stop_loss": {"stop_price": 180, "limit_price": "179.5"},
    }
    placed = told(await desk.post("/api/orders", json=body), 201)
    assert [leg["leg"] for leg in placed["legs"]] == ["take_profit", "stop_loss"]
    assert [leg["status"] for leg in placed["legs"]] == ["new", "new"]
    shown = told(await desk.get(f"/api/orders/{placed['id']}"))
    assert shown == placed
    (position,) = (await portfolio(desk))["positions"]
    assert (position["quantity"], position["available_quantity"]) == (2, 0)
    canceled = told(await desk.delete("/api/orders?ticker=AAPL"))
    assert [order["status"] for order in canceled] == ["canceled", "canceled"]
    (position,) = (await portfolio(desk))["positions"]
    assert position["available_quantity"] == 2


async def test_lists_are_filtered_and_paged(desk: DeskClient) -> None:
    for n in range(5):
        await desk.post(
            "/api/orders",
            json={**LIMIT, "limit_price": 100 + n, "strategy": "even" if n % 2 == 0 else "odd"},
        )
    await desk.trade("MSFT", "buy", 1)
    prices: list[Any] = []
    path: str | None = "/api/orders?limit=2&type=limit"
    while path:
        answer = await desk.get(path)
        prices += [order["limit_price"] for order in told(answer)]
        path = answer.links.get("next", {}).get("url")
    assert prices == [104, 103, 102, 101, 100]
    for query, count in (
        ("strategy=even", 3),
        ("ticker=msft", 1),
        ("status=closed", 1),
        ("status=open&side=sell", 0),
        ("source=api", 6),
        ("since=2100-01-01T00:00:00Z", 0),
    ):
        assert len(told(await desk.get(f"/api/orders?{query}"))) == count, query
    for query in ("limit=501", "status=new", "cursor=%00", "since=soon", "ticker=1"):
        assert told(await desk.get(f"/api/orders?{query}"), 422)["code"] == "INVALID_REQUEST"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({**LIMIT, "quantity": 60}, 409, "INSUFFICIENT_CASH"),
    ({**LIMIT, "side": "sell", "limit_price": 300}, 409, "INSUFFICIENT_SHARES"),
    ({**LIMIT, "ticker": "NOPE"}, 404, "UNKNOWN_TICKER"),
    ({**LIMIT, "ticker": "1"}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "limit_price": 0}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "limit_price": "-1"}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "limit_price": None}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "stop_price": 1}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "type": "trailing_stop", "limit_price": None}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "type": "stop", "limit_price": None}, 422, "INVALID_REQUEST"),
    (
        {**LIMIT, "type": "trailing_stop", "limit_price": None, "trail_percent": "0.0000001"},
        422,
        "INVALID_REQUEST",
    ),
    ({**LIMIT, "time_in_force": "ioc", "extended_hours": True}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "quantity": None, "notional": 5}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "order_class": "bracket"}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "unheard_of": 1}, 422, "INVALID_REQUEST"),
    ({**LIMIT, "quantity": 1_000_000_000, "limit_price": 1_000_000_000}, 422, "INVALID_REQUEST"),
]


@pytest.mark.parametrize(("body", "status", "code"), REFUSED)
async def test_a_refused_order_leaves_no_trace(
    desk: DeskClient, body: dict[str, Any], status: int, code: str
) -> None:
    before = await portfolio(desk)
    refused = told(await desk.post("/api/orders", json=body), status)
    assert refused["code"] == code
    after = await portfolio(desk)
    assert {**after, "as_of": None} == {**before, "as_of": None}
    assert told(await desk.get("/api/orders")) == []


async def test_positions_are_closed_one_by_one_or_all(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 4)
    await desk.trade("MSFT", "buy", "0.5")
    half = told(await desk.post("/api/positions/aapl/close", json={"percent": 25}))
    assert (half["side"], half["status"], half["filled_quantity"]) == ("sell", "filled", 1)
    none = told(await desk.post("/api/positions/TSLA/close"), 404)
    assert none["code"] == "NOT_FOUND"
    await desk.post(
        "/api/orders",
        json={**LIMIT, "side": "sell", "quantity": 3, "limit_price": 300},
    )
    results = told(await desk.delete("/api/positions"))["results"]
    assert [r["status"] for r in results] == ["refused", "filled"]
    assert results[0]["problem"]["code"] == "INSUFFICIENT_SHARES"
    results = told(await desk.delete("/api/positions?cancel_orders=true"))["results"]
    assert [r["order"]["filled_quantity"] for r in results] == [3]
    assert (await portfolio(desk))["positions"] == []
    assert told(await desk.delete("/api/positions"))["results"] == []
    await assert_books_hold(desk.app.state.database)


async def test_another_account_has_orders_of_its_own(desk: DeskClient) -> None:
    account = told(await desk.post("/api/accounts", json={"name": "Other"}), 201)
    order = told(await desk.post("/api/orders", json=LIMIT), 201)
    mine = {"X-Account": account["id"]}
    path = f"/api/orders/{order['id']}"
    assert told(await desk.get("/api/orders", headers=mine)) == []
    assert told(await desk.get(path, headers=mine), 404)["code"] == "NOT_FOUND"
    assert told(await desk.delete(path, headers=mine), 404)["code"] == "NOT_FOUND"
    assert told(await desk.patch(path, headers=mine, json={"quantity": 1}), 404)
    assert told(await desk.delete("/api/orders", headers=mine)) == []
    assert told(await desk.get(path))["status"] == "new"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/orders?symbol=ZZZZ"),
        ("DELETE", "/api/positions?ticker=AAPL"),
        ("DELETE", "/api/positions?foo=1&cancel_orders=true"),
        ("GET", "/api/orders?foo=1"),
        ("GET", "/api/portfolio?range=1d"),
        ("POST", "/api/portfolio/trade?dry_run=1"),
    ],
)
async def test_a_misspelt_filter_is_not_one_for_everything(
    desk: DeskClient, method: str, path: str
) -> None:
    await desk.trade("AAPL", "buy", 1)
    resting = await desk.post(
        "/api/orders",
        json={"ticker": "AAPL", "side": "buy", "quantity": 1, "type": "limit", "limit_price": 5},
    )
    body = {"ticker": "AAPL", "side": "buy", "quantity": 1} if method == "POST" else None
    answer = await desk.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
    assert "is not a parameter of this request" in answer.json()["detail"]
    assert len((await desk.get("/api/trades")).json()) == 1
    order = await desk.get(f"/api/orders/{resting.json()['id']}")
    assert order.json()["status"] == "new"
