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


async def test_an_account_says_on_what_terms_it_sells_short(desk: DeskClient) -> None:
    path = "/api/accounts/default"
    terms = {"margin_percent": 60, "maintenance_percent": 40, "borrow_percent": Decimal("2.5")}
    body = {"short_selling": {"enabled": True, **{k: str(v) for k, v in terms.items()}}}
    changed = told(await desk.patch(path, json=body))
    assert changed["short_selling"] == {"enabled": True, **terms}
    sold = told(await desk.trade("AAPL", "sell", 10))
    assert (sold["short_collateral"], sold["maintenance_margin"]) == (3044, 761)
    for wrong in (
        {"maintenance_percent": -1},
        {"margin_percent": 20},
        {"borrow_percent": 1001},
        {"enabled": "perhaps"},
    ):
        refused = await desk.patch(path, json={"short_selling": {"enabled": True, **wrong}})
        assert told(refused, 422)["code"] == "INVALID_REQUEST"


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


async def test_an_account_is_reset_once_under_a_key(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 10)
    path, key = "/api/accounts/default/reset", {"Idempotency-Key": "anew"}
    body = {"cash_balance": "2500.5", "note": "anew"}
    first = await desk.post(path, json=body, headers=key)
    assert told(first)["cash_balance"] == Decimal("2500.5")
    assert "Idempotent-Replayed" not in first.headers
    await desk.trade("AAPL", "buy", 1)
    again = await desk.post(path, json=body, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    portfolio = told(await desk.get("/api/portfolio"))
    assert [p["quantity"] for p in portfolio["positions"]] == [1]
    other = await desk.post(path, json={"cash_balance": 1}, headers=key)
    assert told(other, 409)["code"] == "IDEMPOTENCY_MISMATCH"
    # All that was booked is still there to be read.
    assert len(told(await desk.get("/api/trades"))) == 2
    kinds = [entry["kind"] for entry in told(await desk.get("/api/cash"))]
    assert kinds == ["deposit", "adjustment", "deposit"]
    assert told(await desk.post("/api/accounts/nobody/reset", json={}), 404)["code"] == "NOT_FOUND"
    for wrong in ({"cash_balance": -1}, {"cash_balance": "0.0000001"}, {"unheard_of": 1}):
        assert told(await desk.post(path, json=wrong), 422)["code"] == "INVALID_REQUEST"


async def test_an_account_is_cloned_once_under_a_key(desk: DeskClient) -> None:
    await desk.patch("/api/accounts/default", json={"fill_model": {"spread_bps": 4}})
    await desk.trade("AAPL", "buy", 10)
    path, key = "/api/accounts/default/clone", {"Idempotency-Key": "twin"}
    answers = await asyncio.gather(
        *(desk.post(path, json={"name": "Twin"}, headers=key) for _ in range(6))
    )
    (twin,) = {told(answer, 201)["id"] for answer in answers}
    assert (
        sorted("Idempotent-Replayed" in answer.headers for answer in answers)
        == [False] + [True] * 5
    )
    mine = {"X-Account": twin}
    ours, theirs = [
        told(await desk.get("/api/portfolio", headers=headers)) for headers in (mine, {})
    ]
    assert ours["cash_balance"] == theirs["cash_balance"]
    for name in ("ticker", "quantity", "cost_basis", "opened_at"):
        assert ours["positions"][0][name] == theirs["positions"][0][name]
    listed = {account["id"]: account for account in told(await desk.get("/api/accounts"))}
    assert listed[twin]["fill_model"] == listed["default"]["fill_model"]
    await desk.trade("AAPL", "sell", 10, headers=mine)
    assert told(await desk.get("/api/portfolio"))["positions"] != []
    for body in ({"name": "Other"}, {"name": "Twin", "positions": False}):
        other = await desk.post(path, json=body, headers=key)
        assert told(other, 409)["code"] == "IDEMPOTENCY_MISMATCH"
    # The key of a clone is not that of an account, nor of a clone of another.
    assert told(await desk.post("/api/accounts", json={"name": "x"}, headers=key), 201)
    bare = {"name": "Bare", "positions": False, "cash_balance": 5}
    opened = told(await desk.post(path, json=bare), 201)
    assert (opened["cash_balance"], opened["realized_pnl"]) == (5, 0)
    nobody = await desk.post("/api/accounts/nobody/clone", json={"name": "x"})
    assert told(nobody, 404)["code"] == "NOT_FOUND"


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
