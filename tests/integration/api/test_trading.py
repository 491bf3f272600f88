"""Trading over HTTP: shapes, exactness, keys and what is refused."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from support.desk import DeskClient
from support.trading import row_counts

PORTFOLIO = [
    "cash_balance",
    "reserved_cash",
    "short_collateral",
    "maintenance_margin",
    "buying_power",
    "positions_value",
    "total_value",
    "unrealized_pnl",
    "realized_pnl",
    "as_of",
    "unpriced",
    "positions",
]
POSITION = [
    "ticker",
    "quantity",
    "available_quantity",
    "avg_cost",
    "cost_basis",
    "current_price",
    "market_value",
    "unrealized_pnl",
    "pnl_pct",
    "opened_at",
    "lots",
]
TRADE = [
    "id",
    "order_id",
    "ticker",
    "side",
    "quantity",
    "price",
    "value",
    "fee",
    "realized_pnl",
    "executed_at",
    "opened_at",
]


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def test_a_trade_answers_the_portfolio_and_the_trade_in_the_documented_shape(
    desk: DeskClient,
) -> None:
    answer = await desk.trade("aapl", "buy", 10)

    assert answer.status_code == 200
    body = exact(answer.text)
    assert list(body) == [*PORTFOLIO, "trade"]
    assert list(body["positions"][0]) == POSITION
    assert list(body["trade"]) == TRADE
    assert body["cash_balance"] == body["buying_power"] == Decimal("8097.5")
    assert body["positions"][0]["quantity"] == 10
    assert (body["trade"]["ticker"], body["trade"]["fee"], body["trade"]["realized_pnl"]) == (
        "AAPL",
        0,
        0,
    )
    assert body["trade"]["executed_at"].endswith("Z")
    assert list((await desk.get("/api/portfolio")).json()) == PORTFOLIO


async def test_amounts_are_numbers_exact_to_the_last_digit(desk: DeskClient) -> None:
    answer = await desk.trade("BRK.B", "buy", "1.000000001")

    assert '"price":451.123456789,' in answer.text
    assert '"quantity":1.000000001,' in answer.text
    assert '"cash_balance":9548.876543,' in answer.text
    # More digits than a double holds, and a price that floats write with an exponent.
    many = await desk.trade("TSLA", "buy", "123456789.123456789")
    assert '"quantity":123456789.123456789,' in many.text
    assert '"price":0.000000001,' in many.text


@pytest.mark.parametrize("quantity", [2, 2.0, "2", "2.000000000"], ids=repr)
async def test_a_quantity_may_be_a_number_or_a_string(
    sqlite_desk: DeskClient, quantity: object
) -> None:
    answer = await sqlite_desk.trade("AAPL", "buy", quantity)

    assert exact(answer.text)["trade"]["quantity"] == 2


async def test_selling_realizes_the_gain_and_closing_removes_the_position(
    desk: DeskClient,
) -> None:
    await desk.trade("AAPL", "buy", 4)
    desk.prices.prices["AAPL"] = "200.25"
    await desk.app.state.market.tick()

    body = exact((await desk.trade("AAPL", "sell", 4)).text)

    assert body["positions"] == []
    assert body["trade"]["realized_pnl"] == body["realized_pnl"] == 40
    assert body["cash_balance"] == body["total_value"] == 10_040


async def test_a_key_gives_the_first_trade_again_and_the_portfolio_of_now(
    desk: DeskClient,
) -> None:
    first = await desk.trade("AAPL", "buy", 1, headers={"Idempotency-Key": "k"})
    await desk.trade("MSFT", "buy", 1)
    desk.prices.prices["AAPL"] = None
    again = await desk.trade("AAPL", "buy", "1.0", client_order_id="k")

    assert "Idempotent-Replayed" not in first.headers
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.json()["trade"] == first.json()["trade"]
    assert len(again.json()["positions"]) == 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"side": "sell"}, {"Idempotency-Key": "k"}, 409, "IDEMPOTENCY_MISMATCH"),
        ({"client_order_id": "other"}, {"Idempotency-Key": "k"}, 422, "INVALID_REQUEST"),
        ({}, {"Idempotency-Key": "x" * 129}, 422, "INVALID_REQUEST"),
    ],
)
async def test_a_key_cannot_mean_two_things(
    sqlite_desk: DeskClient, body: dict[str, Any], headers: dict[str, str], status: int, code: str
) -> None:
    await sqlite_desk.trade("AAPL", "buy", 1, headers={"Idempotency-Key": "k"})
    wanted: dict[str, Any] = {"ticker": "AAPL", "side": "buy", "quantity": 1, **body}

    answer = await sqlite_desk.post("/api/portfolio/trade", json=wanted, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_key_beyond_ascii_is_the_same_in_header_and_body(sqlite_desk: DeskClient) -> None:
    headers = {"Idempotency-Key": "ключ".encode()}
    first = await sqlite_desk.trade("AAPL", "buy", 1, headers=headers)
    again = await sqlite_desk.trade("AAPL", "buy", 1, client_order_id="ключ", headers=headers)
    latin = await sqlite_desk.trade(
        "AAPL", "buy", 1, headers={"Idempotency-Key": "clé".encode("latin-1")}
    )

    assert (first.status_code, again.status_code, latin.status_code) == (200, 200, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["trade"] == first.json()["trade"]


async def test_a_ticker_without_price_is_valued_at_the_last_known_and_named(
    desk: DeskClient,
) -> None:
    await desk.trade("AAPL", "buy", 1)
    market = desk.app.state.market
    desk.prices.prices["AAPL"] = None
    market.board.patience *= 0
    market.board.drop("MSFT")  # what was valued is kept until the board changes

    body = (await desk.get("/api/portfolio")).json()

    assert body["unpriced"] == ["AAPL"]
    assert body["positions"][0]["current_price"] == 190.25
    assert (await desk.trade("AAPL", "sell", 1)).json()["code"] == "PRICE_UNAVAILABLE"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"ticker": ""}, 422, "INVALID_REQUEST"),
    ({"ticker": "A" * 65}, 422, "INVALID_REQUEST"),
    ({"ticker": "A APL"}, 422, "INVALID_REQUEST"),
    ({"ticker": "ÄAPL"}, 422, "INVALID_REQUEST"),
    ({"ticker": "../etc"}, 422, "INVALID_REQUEST"),
    ({"ticker": 7}, 422, "INVALID_REQUEST"),
    ({"ticker": None}, 422, "INVALID_REQUEST"),
    ({"ticker": "ZZZZ"}, 404, "UNKNOWN_TICKER"),
    ({"side": "hold"}, 422, "INVALID_REQUEST"),
    ({"side": "BUY"}, 422, "INVALID_REQUEST"),
    ({"side": None}, 422, "INVALID_REQUEST"),
    ({"quantity": 0}, 422, "INVALID_REQUEST"),
    ({"quantity": -1}, 422, "INVALID_REQUEST"),
    ({"quantity": True}, 422, "INVALID_REQUEST"),
    ({"quantity": None}, 422, "INVALID_REQUEST"),
    ({"quantity": []}, 422, "INVALID_REQUEST"),
    ({"quantity": "ten"}, 422, "INVALID_REQUEST"),
    ({"quantity": "1_000"}, 422, "INVALID_REQUEST"),
    ({"quantity": " 5 "}, 422, "INVALID_REQUEST"),
    ({"quantity": "٣"}, 422, "INVALID_REQUEST"),
    ({"quantity": "NaN"}, 422, "INVALID_REQUEST"),
    ({"quantity": "1e5"}, 422, "INVALID_REQUEST"),
    ({"quantity": "0." + "1" * 30}, 422, "INVALID_REQUEST"),
    ({"quantity": 1_000_000_001}, 422, "INVALID_REQUEST"),
    ({"note": "a\0b"}, 422, "INVALID_REQUEST"),
    ({"strategy": "x" * 129}, 422, "INVALID_REQUEST"),
    ({"surprise": 1}, 422, "INVALID_REQUEST"),
    ({"quantity": 53}, 409, "INSUFFICIENT_CASH"),
    ({"side": "sell"}, 409, "INSUFFICIENT_SHARES"),
]


@pytest.mark.parametrize(("change", "status", "code"), REFUSED, ids=repr)
async def test_bad_input_is_refused_with_a_sentence_and_nothing_is_written(
    sqlite_desk: DeskClient, change: dict[str, Any], status: int, code: str
) -> None:
    database = sqlite_desk.app.state.database
    before = await row_counts(database)
    body: dict[str, Any] = {"ticker": "AAPL", "side": "buy", "quantity": 1, **change}

    answer = await sqlite_desk.post("/api/portfolio/trade", json=body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["error"] == problem["detail"]
    assert problem["detail"].endswith(".")
    after = await row_counts(database)
    assert {name: after[name] - before[name] for name in ("orders", "trades", "positions")} == {
        "orders": 0,
        "trades": 0,
        "positions": 0,
    }


BROKEN: list[tuple[bytes, str | None, int]] = [
    (b"", "application/json", 422),
    (b"{", "application/json", 422),
    (b"[]", "application/json", 422),
    (b"null", "application/json", 422),
    (b"\xff\xfe", "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":NaN}', "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":Infinity}', "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":1e400}', "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":1E-400}', "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":1e9999999999999999999}', "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":' + b"9" * 5000 + b"}", "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":0.' + b"1" * 30 + b"}", "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":1,"quantity":2}', "application/json", 422),
    (b'{"ticker":"\\ud800","side":"buy","quantity":1}', "application/json", 422),
    (b'{"\\ud800":1,"ticker":"AAPL","side":"buy","quantity":1}', "application/json", 422),
    (
        b'{"ticker":"AAPL","side":"buy","quantity":1,"note":"\\udfff"}',
        "application/json",
        422,
    ),
    (b"[" * 50_000, "application/json", 422),
    (b'{"a":' * 10_000, "application/json", 422),
    (b'{"ticker":"AAPL","side":"buy","quantity":1}', "text/plain", 415),
    (b"ticker=AAPL", "application/x-www-form-urlencoded", 415),
    (b'{"ticker":"AAPL","side":"buy","quantity":1}', None, 415),
    (b" " * (64 * 1024 + 1), "application/json", 413),
]


@pytest.mark.parametrize(
    ("content", "content_type", "status"), BROKEN, ids=lambda value: repr(value)[:60]
)
async def test_a_body_that_is_no_request_gets_a_documented_refusal(
    sqlite_desk: DeskClient, content: bytes, content_type: str | None, status: int
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}

    answer = await sqlite_desk.post("/api/portfolio/trade", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.json()["code"] in {
        "INVALID_REQUEST",
        "UNSUPPORTED_MEDIA_TYPE",
        "BODY_TOO_LARGE",
    }


async def test_a_body_over_the_limit_is_refused_also_without_a_length(
    sqlite_desk: DeskClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 1024

    answer = await sqlite_desk.post(
        "/api/portfolio/trade", content=endless(), headers={"content-type": "application/json"}
    )

    assert answer.status_code == 413
    assert sent < 100
