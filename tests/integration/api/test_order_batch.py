"""POST /api/orders/batch: a result for each order, each on its own, and each once."""

import asyncio
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, text

from paperdesk.ledger.lane import waiting
from paperdesk.orders.routes import BATCH_BODY_LIMIT
from support.desk import DeskClient
from support.electing import until
from support.trading import assert_books_hold, row_counts

ORDER = [
    "id", "client_order_id", "ticker", "side", "type", "time_in_force", "quantity", "notional",
    "limit_price", "stop_price", "status", "filled_quantity", "filled_avg_price", "source",
    "strategy", "note", "submitted_at", "filled_at", "canceled_at", "expired_at",
]  # fmt: skip
BUY = {"ticker": "AAPL", "side": "buy", "quantity": 1}


async def batch(desk: DeskClient, *orders: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await desk.post("/api/orders/batch", json={"orders": orders}, headers=headers)


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)["results"]


def outcome(result: dict[str, Any]) -> str:
    problem = result["problem"]
    return problem["code"] if problem else result["status"]


async def test_each_order_has_its_result_in_the_order_of_the_request(desk: DeskClient) -> None:
    first, second, third = results(
        await batch(
            desk,
            {
                **BUY,
                "quantity": "3.000000001",
                "strategy": "s",
                "note": "n",
                "client_order_id": "a",
            },
            {"ticker": "aapl", "side": "sell", "type": "market", "notional": "190.25"},
            {"ticker": "MSFT", "side": "buy", "time_in_force": "day", "quantity": 0.5},
        )
    )

    assert [*first] == ["status", "replayed", "order", "trade", "problem"]
    assert [*first["order"]][: len(ORDER)] == ORDER
    assert (first["status"], first["replayed"], first["problem"]) == ("filled", False, None)
    wanted = {
        "client_order_id": "a", "ticker": "AAPL", "side": "buy", "type": "market",
        "time_in_force": "day", "quantity": Decimal("3.000000001"), "notional": None,
        "status": "filled", "filled_quantity": Decimal("3.000000001"),
        "filled_avg_price": Decimal("190.25"), "source": "api", "strategy": "s", "note": "n",
        "canceled_at": None,
    }  # fmt: skip
    assert {name: first["order"][name] for name in wanted} == wanted
    assert first["trade"]["order_id"] == first["order"]["id"]
    assert first["trade"]["value"] == Decimal("570.75")
    assert (second["order"]["quantity"], second["order"]["notional"]) == (None, Decimal("190.25"))
    assert second["order"]["client_order_id"] == second["order"]["id"]
    assert (second["trade"]["quantity"], second["trade"]["value"]) == (1, Decimal("190.25"))
    assert third["trade"]["value"] == Decimal("200.25")
    held = (await desk.get("/api/portfolio")).text
    assert '"cash_balance":9419.25' in held
    await assert_books_hold(desk.app.state.database)


async def test_a_notional_buys_what_it_pays_for_and_never_more(desk: DeskClient) -> None:
    (bought, tiny, huge) = results(
        await batch(
            desk,
            {"ticker": "BRK.B", "side": "buy", "notional": 700},
            {"ticker": "BRK.B", "side": "buy", "notional": "0.000001"},
            {"ticker": "TSLA", "side": "buy", "notional": 2},
        )
    )

    # 700 / 451.123456789 = 1.5516816726…: cut, not rounded.
    assert bought["trade"]["quantity"] == Decimal("1.551681672")
    assert bought["trade"]["value"] <= 700
    assert bought["order"]["notional"] == 700
    assert outcome(tiny) == "filled"
    assert (outcome(huge), "1,000,000,000" in huge["problem"]["detail"]) == (
        "INVALID_REQUEST",
        True,
    )
    await assert_books_hold(desk.app.state.database)


REFUSED: list[tuple[Any, str, str]] = [
    ({**BUY, "quantity": 530}, "INSUFFICIENT_CASH", "costs"),
    ({**BUY, "side": "sell", "quantity": 99}, "INSUFFICIENT_SHARES", "held"),
    ({**BUY, "ticker": "NOPE"}, "UNKNOWN_TICKER", "NOPE"),
    ({**BUY, "ticker": "1"}, "INVALID_REQUEST", "A ticker is"),
    ({**BUY, "type": "limit"}, "INVALID_REQUEST", "limit_price: a limit order needs it."),
    ({**BUY, "time_in_force": "gtd"}, "INVALID_REQUEST", "time_in_force: must be"),
    ({**BUY, "limit_price": 5}, "INVALID_REQUEST", "limit_price: a market order has none."),
    ({**BUY, "limit": 5}, "INVALID_REQUEST", "limit: is not a field"),
    ({**BUY, "quantity": 0}, "INVALID_REQUEST", "quantity: must be more than 0"),
    ({**BUY, "quantity": "1e3"}, "INVALID_REQUEST", "quantity: must have at most 13 digits"),
    ({**BUY, "notional": 5}, "INVALID_REQUEST", "give either quantity or notional"),
    ({"ticker": "AAPL", "side": "buy"}, "INVALID_REQUEST", "give either quantity or notional"),
    ({"ticker": "AAPL", "side": "buy", "notional": "0.0000001"}, "INVALID_REQUEST", "6 decimal"),
    ({"ticker": "AAPL", "side": "buy", "notional": -1}, "INVALID_REQUEST", "notional: must be"),
    ({"ticker": "AAPL", "quantity": 1}, "INVALID_REQUEST", "side: is missing"),
    (None, "INVALID_REQUEST", "order: must be a JSON object"),
    ([], "INVALID_REQUEST", "order: must be a JSON object"),
    ("buy", "INVALID_REQUEST", "order: must be a JSON object"),
]


async def test_a_refused_order_says_why_and_spoils_no_other(desk: DeskClient) -> None:
    small = {**BUY, "quantity": "0.001"}
    rows = [row for refused, _, _ in REFUSED for row in (small, refused)]

    found = results(await batch(desk, *rows))

    for (row, code, words), filled, refused in zip(REFUSED, found[::2], found[1::2], strict=True):
        assert (outcome(filled), outcome(refused)) == ("filled", code), row
        assert words in refused["problem"]["detail"], row
        assert (refused["status"], refused["order"], refused["trade"]) == ("refused", None, None)
    counts = await row_counts(desk.app.state.database)
    assert (counts["trades"], counts["orders"]) == (len(REFUSED), len(REFUSED))
    await assert_books_hold(desk.app.state.database)


WRONG: list[tuple[Any, str]] = [
    ({}, "orders: is missing"),
    ([BUY], "must be a JSON object"),
    ({"orders": []}, "orders: must have at least 1 item"),
    ({"orders": {}}, "orders: must be a list"),
    ({"orders": [BUY] * 501}, "orders: must have at most 500 items"),
    ({"orders": [BUY], "mode": "all"}, "mode: is not a field"),
]


async def test_a_wrong_envelope_books_nothing(sqlite_desk: DeskClient) -> None:
    for body, words in WRONG:
        answer = await sqlite_desk.post("/api/orders/batch", json=body)

        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
        assert words in answer.json()["detail"]
    assert (await sqlite_desk.get("/api/trades")).json() == []


async def test_the_same_batch_again_has_the_same_results_and_books_nothing(
    desk: DeskClient,
) -> None:
    rows = [
        BUY,
        {**BUY, "side": "sell", "quantity": 99},
        {**BUY, "client_order_id": "mine"},
        {"ticker": "MSFT", "side": "buy", "notional": 100},
    ]
    first = await batch(desk, *rows, key="k")
    desk.prices.prices["AAPL"] = "200"
    again = await batch(desk, *rows, key="k")
    other = await batch(desk, {**BUY, "quantity": 2}, key="k")
    alone = await desk.trade("AAPL", "buy", 1, client_order_id="mine")

    before, after = results(first), results(again)
    assert [outcome(r) for r in after] == ["filled", "INSUFFICIENT_SHARES", "filled", "filled"]
    assert [r["replayed"] for r in after] == [True, False, True, True]
    assert [(r["order"], r["trade"]) for r in after] == [(r["order"], r["trade"]) for r in before]
    keys = [r["order"]["client_order_id"] for r in after if r["order"]]
    assert keys == ["k:0", "mine", "k:3"]
    assert outcome(results(other)[0]) == "IDEMPOTENCY_MISMATCH"
    assert alone.headers["Idempotent-Replayed"] == "true"
    assert alone.json()["trade"]["id"] == str(before[2]["trade"]["id"])
    assert "Idempotent-Replayed" not in again.headers
    assert (await row_counts(desk.app.state.database))["trades"] == 3


async def test_a_batch_of_which_every_order_was_booked_before_says_so(desk: DeskClient) -> None:
    await batch(desk, BUY, BUY, key="k" * 124)
    again = await batch(desk, BUY, BUY, key="k" * 124)
    too_long = await batch(desk, BUY, key="k" * 125)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert (too_long.status_code, "124" in too_long.json()["detail"]) == (422, True)


async def test_a_key_twice_in_a_batch_is_one_order(desk: DeskClient) -> None:
    row = {**BUY, "client_order_id": "twice"}

    first, second, third = results(await batch(desk, row, row, {**row, "quantity": 2}))

    assert (first["replayed"], second["replayed"]) == (False, True)
    assert first["trade"] == second["trade"]
    assert outcome(third) == "IDEMPOTENCY_MISMATCH"


async def test_batches_in_flight_with_one_key_book_once(desk: DeskClient) -> None:
    rows = [{**BUY, "quantity": "0.1"}, {**BUY, "side": "sell", "quantity": "0.05"}] * 20

    answers = await asyncio.gather(*(batch(desk, *rows, key="k") for _ in range(5)))

    trades = [[r["trade"]["id"] for r in results(answer)] for answer in answers]
    assert all(ids == trades[0] for ids in trades)
    assert (await row_counts(desk.app.state.database))["trades"] == 40
    await assert_books_hold(desk.app.state.database)


async def test_500_orders_take_few_commits_and_stay_in_their_sequence(
    sqlite_desk: DeskClient,
) -> None:
    # Each sale needs the purchase right before it.
    rows = [BUY, {**BUY, "side": "sell"}] * 250
    commits: list[object] = []
    engine = sqlite_desk.app.state.database.sync_engine
    event.listen(engine, "commit", commits.append)

    found = results(await batch(sqlite_desk, *rows))

    assert {result["status"] for result in found} == {"filled"}
    assert [result["trade"]["side"] for result in found] == ["buy", "sell"] * 250
    assert len(commits) <= 15
    await assert_books_hold(sqlite_desk.app.state.database)


async def test_tickers_are_priced_side_by_side_within_the_patience(
    sqlite_desk: DeskClient,
) -> None:
    sqlite_desk.prices.prices |= {f"SLOW{n}": None for n in range(20)}
    rows = [{**BUY, "ticker": f"SLOW{n}"} for n in range(20)]

    begin = time.monotonic()
    found = results(await batch(sqlite_desk, BUY, *rows))

    # One after the other they would take 40 s; a busy machine takes its time too.
    assert time.monotonic() - begin < 20
    assert [outcome(result) for result in found] == ["filled"] + ["PRICE_UNAVAILABLE"] * 20


async def test_a_queue_without_room_refuses_what_it_does_not_take(
    sqlite_desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = sqlite_desk.app.state.database
    monkeypatch.setattr(waiting, "LONGEST_QUEUE", 8)
    rows = [{**BUY, "quantity": "0.01"}] * 30
    async with database.write() as session:
        # Nobody else may write now, so the writer stands still and the queue fills up.
        await session.execute(text("SELECT 1"))
        lane = sqlite_desk.app.state.ledger._lane
        first = asyncio.create_task(sqlite_desk.trade("AAPL", "buy", "0.01"))
        # The writer has taken it, and waits: whoever else waits for the file took nothing.
        await until(lambda: lane._thread is not None and lane._thread.is_alive())
        await until(lambda: not lane._queue and bool(database._ownership.write_lock._waiting))
        part = asyncio.create_task(batch(sqlite_desk, *rows, key="part"))
        await until(lambda: len(lane._queue) == 8)
        none = await batch(sqlite_desk, *rows, key="none")

    assert (none.status_code, none.json()["code"]) == (503, "BUSY")
    assert none.headers["Retry-After"]
    assert (await first).status_code == 200
    assert (await part).headers["Retry-After"]
    codes = [outcome(result) for result in results(await part)]
    assert (codes.count("filled"), codes.count("BUSY")) == (8, 22)
    again = results(await batch(sqlite_desk, *rows[:5], key="part"))
    assert {result["status"] for result in again} == {"filled"}
    trades = (await row_counts(database))["trades"]
    assert trades == 1 + 8 + sum(not result["replayed"] for result in again)


async def test_a_batch_may_have_a_mebibyte_and_other_bodies_64_kib(
    sqlite_desk: DeskClient,
) -> None:
    def body(size: int) -> bytes:
        small = json.dumps({"orders": [BUY]})
        return small.replace("{", "{" + " " * (size - len(small)), 1).encode()

    async def send(path: str, content: Any) -> int:
        headers = {"Content-Type": "application/json"}
        return (await sqlite_desk.post(path, content=content, headers=headers)).status_code

    async def in_pieces(size: int) -> Any:
        whole = body(size)
        for start in range(0, size, 10_000):
            yield whole[start : start + 10_000]

    assert await send("/api/orders/batch", body(BATCH_BODY_LIMIT)) == 200
    assert await send("/api/orders/batch", body(BATCH_BODY_LIMIT + 1)) == 413
    assert await send("/api/orders/batch", in_pieces(BATCH_BODY_LIMIT)) == 200
    assert await send("/api/orders/batch", in_pieces(BATCH_BODY_LIMIT + 1)) == 413
    assert await send("/api/cash", body(64 * 1024 + 1)) == 413
