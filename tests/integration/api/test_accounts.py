"""The routes under /api/accounts."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from support.desk import DeskClient
from support.trading import assert_books_hold

NO_COSTS = {
    "spread_bps": 0,
    "slippage_bps": 0,
    "commission_per_share": 0,
    "commission_percent": 0,
    "commission_minimum": 0,
    "volume_percent": None,
}


def told(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_float=Decimal)


async def test_an_account_is_opened_listed_and_traded_on(desk: DeskClient) -> None:
    opened = told(
        await desk.post("/api/accounts", json={"name": "Momentum", "cash_balance": "2500.5"}), 201
    )
    assert (opened["name"], opened["cash_balance"]) == ("Momentum", Decimal("2500.5"))
    assert opened["fill_model"] == NO_COSTS
    listed = told(await desk.get("/api/accounts"))
    assert [account["id"] for account in listed] == [opened["id"], "default"]
    await desk.trade("AAPL", "buy", 1, headers={"X-Account": opened["id"]})
    (entry, *_) = told(await desk.get("/api/cash", headers={"X-Account": opened["id"]}))
    assert (entry["kind"], entry["amount"], entry["note"]) == (
        "deposit",
        Decimal("2500.5"),
        "Momentum",
    )
    first = await desk.get("/api/accounts?limit=1")
    second = await desk.get(first.links["next"]["url"])
    assert [told(first)[0]["id"], told(second)[0]["id"]] == [opened["id"], "default"]
    assert "next" not in second.links
    await assert_books_hold(desk.app.state.database, opened["id"])


async def test_a_key_opens_one_account(desk: DeskClient) -> None:
    body, key = {"name": "Once"}, {"Idempotency-Key": "open"}
    answers = await asyncio.gather(
        *(desk.post("/api/accounts", json=body, headers=key) for _ in range(6))
    )
    ids = {told(answer, 201)["id"] for answer in answers}
    assert len(ids) == 1
    (account_id,) = ids
    assert len(told(await desk.get("/api/accounts"))) == 2
    # A new name does not make it another account.
    told(await desk.patch(f"/api/accounts/{account_id}", json={"name": "Twice"}))
    again = await desk.post("/api/accounts", json=body, headers=key)
    assert (told(again, 201)["name"], again.headers["Idempotent-Replayed"]) == ("Twice", "true")
    other = await desk.post("/api/accounts", json={"name": "Other"}, headers=key)
    assert told(other, 409)["code"] == "IDEMPOTENCY_MISMATCH"


async def test_a_fill_model_counts_from_now_on(desk: DeskClient) -> None:
    changed = told(
        await desk.patch(
            "/api/accounts/default",
            json={"fill_model": {"spread_bps": 20, "commission_minimum": "1.5"}},
        )
    )
    assert changed["fill_model"] == {
        **NO_COSTS,
        "spread_bps": 20,
        "commission_minimum": Decimal("1.5"),
    }
    trade = told(await desk.trade("AAPL", "buy", 1))["trade"]
    assert (trade["price"], trade["fee"]) == (Decimal("190.44025"), Decimal("1.5"))
    told(await desk.patch("/api/accounts/default", json={"fill_model": {}}))
    trade = told(await desk.trade("AAPL", "sell", 1))["trade"]
    assert (trade["price"], trade["fee"]) == (Decimal("190.25"), 0)
    opened = told(
        await desk.post(
            "/api/accounts", json={"name": "Costly", "fill_model": {"commission_per_share": 1}}
        ),
        201,
    )
    assert opened["fill_model"]["commission_per_share"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "x" * 129},
        {"name": "a", "cash_balance": -1},
        {"name": "a", "cash_balance": "0.0000001"},
        {"name": "a", "cash_balance": 1_000_000_001},
        {"name": "a", "fill_model": {"spread_bps": -1}},
        {"name": "a", "fill_model": {"spread_bps": 5001}},
        {"name": "a", "fill_model": {"volume_percent": 0}},
        {"name": "a", "fill_model": {"volume_percent": 101}},
        {"name": "a", "fill_model": {"commission_percent": 101}},
        {"name": "a", "fill_model": {"unheard_of": 1}},
        {"name": "a", "unheard_of": 1},
        {},
    ],
)
async def test_an_account_that_makes_no_sense_is_refused(
    desk: DeskClient, body: dict[str, Any]
) -> None:
    assert told(await desk.post("/api/accounts", json=body), 422)["code"] == "INVALID_REQUEST"
    assert len(told(await desk.get("/api/accounts"))) == 1


async def test_an_account_that_is_not_there_is_not_found(desk: DeskClient) -> None:
    for body in ({"name": "x"}, {"fill_model": {}}, {}):
        assert told(await desk.patch("/api/accounts/nobody", json=body), 404)["code"] == "NOT_FOUND"
    assert told(await desk.get("/api/accounts?cursor=nobody"), 422)["code"] == "INVALID_REQUEST"
