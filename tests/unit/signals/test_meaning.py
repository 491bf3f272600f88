"""What words, sizes, prices and times of an alert mean together."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from support.alerts import brief, refused, shares, understood


def said(**fields: Any) -> dict[str, Any]:
    return {"ticker": "AAPL", "action": "buy", "quantity": 1, **fields}


@pytest.mark.parametrize(
    ("word", "intent"),
    [
        ("BUY", "buy"),
        ("Sell", "sell"),
        ("long", "enter_long"),
        ("enterLong", "enter_long"),
        ("GO-LONG", "enter_long"),
        ("short", "enter_short"),
        ("sell_short", "enter_short"),
        ("exit long", "exit_long"),
        ("close_long", "exit_long"),
        ("cover", "exit_short"),
        ("buy_to_cover", "exit_short"),
        ("flat", "close"),
        ("exit", "close"),
        ("reverse", "reverse"),
        ("reduce", "close"),
        ("decrease", "close"),
        ("cancel", "cancel"),
        ("ORDER_TYPE_SELL", "sell"),
    ],
)
def test_words_in_any_spelling(word: str, intent: str) -> None:
    assert understood(said(action=word)).intent == intent


@pytest.mark.parametrize(
    ("action", "side", "intent"),
    [
        ("open", "short", "enter_short"),
        ("open", "sell", "enter_short"),
        ("buy", "long", "enter_long"),
        ("close", "long", "exit_long"),
        ("close", "sell", "exit_long"),
        ("exit", "buy", "exit_short"),
        ("reduce", "short", "exit_short"),
        ("increase", "short", "enter_short"),
        ("reverse", "long", "enter_long"),
        ("buy", "buy", "buy"),
    ],
)
def test_two_words_mean_one_thing(action: str, side: str, intent: str) -> None:
    assert understood(said(action=action, side=side)).intent == intent


@pytest.mark.parametrize(
    ("action", "side"),
    [("buy", "sell"), ("buy", "short"), ("sell", "long"), ("enter_long", "exit_short")],
)
def test_contradictory_words_are_refused_with_those_accepted(action: str, side: str) -> None:
    reason = refused(said(action=action, side=side)).reason

    assert "contradict each other" in reason
    assert "buy, sell, long, short" in reason


@pytest.mark.parametrize("word", ["hold", "yolo", "buy now", "", "{{strategy.order.action}}"])
def test_unknown_action_is_refused_with_those_accepted(word: str) -> None:
    assert "buy, sell, long, short" in refused(said(action=word)).reason


def test_field_that_is_no_action_does_not_spoil_one_that_is() -> None:
    signal = understood(said(signal="golden cross", type="crossover"))

    assert signal.intent == "buy"
    assert signal.warnings == ("Not acted on: signal.", "Not acted on: type.")


def test_target_wins_over_action_and_contracts() -> None:
    signal = understood(said(action="sell", contracts=20, quantity=20, position_size=-10))

    assert (signal.intent, signal.target, signal.quantity) == ("target", -10, None)


def test_target_of_zero_leaves_no_position() -> None:
    assert understood(said(action="sell", position_size="-0.0")).target == 0


def test_target_needs_no_action() -> None:
    assert understood({"ticker": "AAPL", "position_size": 3}).target == 3


@pytest.mark.parametrize(
    ("size", "position"), [(5, "short"), (5, "flat"), (0, "long"), (-5, "long")]
)
def test_target_that_contradicts_the_position_is_refused(size: int, position: str) -> None:
    reason = refused(said(position_size=size, market_position=position)).reason
    assert reason == f"position_size: contradicts market_position, which is {position}."


def test_cancel_with_a_target_is_refused() -> None:
    assert "cancel contradicts" in refused(said(action="cancel", position_size=5)).reason


@pytest.mark.parametrize(
    ("action", "intent"), [("buy", "close"), ("sell", "close"), ("exit_long", "exit_long")]
)
def test_flat_closes_all(action: str, intent: str) -> None:
    signal = understood(said(action=action, quantity=7, market_position="flat"))

    assert (signal.intent, signal.quantity) == (intent, None)


@pytest.mark.parametrize(
    ("action", "position"),
    [("enter_long", "flat"), ("reverse", "flat"), ("enter_long", "short"), ("short", "long")],
)
def test_entry_that_contradicts_the_position_is_refused(action: str, position: str) -> None:
    reason = refused(said(action=action, market_position=position)).reason
    assert reason.startswith("market_position: ")


@pytest.mark.parametrize(
    ("sentiment", "intent"),
    [("bullish", "enter_long"), ("short", "enter_short"), ("flat", "close")],
)
def test_position_alone_says_what_to_do(sentiment: str, intent: str) -> None:
    assert understood({"ticker": "AAPL", "sentiment": sentiment}).intent == intent


@pytest.mark.parametrize(
    ("fields", "quantity"),
    [
        ({"quantity": 10}, shares("10")),
        ({"quantity": "10.50"}, shares("10.5")),
        ({"quantity": " 1e-7 "}, shares("0.0000001")),
        ({"quantity": 0.1234567894}, shares("0.123456789")),
        ({"quantity": "5%"}, shares("5", "percent_of_equity")),
        ({"quantity": "5 %", "action": "sell"}, shares("5", "percent_of_position")),
        ({"quantity": "5%", "action": "exit_long"}, shares("5", "percent_of_position")),
        (
            {"quantity": "5%", "action": "sell", "quantityType": "percent_of_equity"},
            shares("5", "percent_of_equity"),
        ),
        ({"quantity": 500, "quantityType": "cash"}, shares("500", "cash")),
        ({"quantity": 500, "investmentType": "quote"}, shares("500", "cash")),
        ({"quantity": 5, "order": {"currency_type": "quote"}}, shares("5", "cash")),
        ({"quantity": None, "sizeUsd": 500}, shares("500", "cash")),
        ({"quantity": None, "notional": "500"}, shares("500", "cash")),
        ({"quantity": None, "order": {"amount": 3}}, shares("3")),
        ({"quantity": 3, "contracts": "3.0"}, shares("3")),
        (
            {"quantity": 0, "risk_percentage": "2"},
            shares("2", "percent_of_equity"),
        ),
    ],
)
def test_sizes(fields: dict[str, Any], quantity: Any) -> None:
    assert brief(understood(said(**fields)))["quantity"] == quantity


def test_no_size_is_left_to_the_webhook() -> None:
    assert understood({"ticker": "AAPL", "action": "buy"}).quantity is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"quantity": "1,000.5"}, "quantity: must have no thousands separators"),
        ({"quantity": "1,5"}, "quantity: must have no thousands separators"),
        ({"quantity": -1}, "quantity: must be more than 0; which way is said by the action."),
        ({"quantity": 0}, "quantity: must be more than 0"),
        ({"quantity": ""}, "quantity: is empty"),
        ({"quantity": "NaN"}, "quantity: is empty"),
        ({"quantity": "ten"}, "quantity: must be a number"),
        ({"quantity": True}, "quantity: must be a number"),
        ({"quantity": [1]}, "quantity: must be a number"),
        ({"quantity": "1_000"}, "quantity: must be a number"),
        ({"quantity": "٣"}, "quantity: must be a number"),
        ({"quantity": "1e999"}, "quantity: must be at most 1000000000"),
        ({"quantity": "9" * 65}, "quantity: is too long"),
        ({"quantity": 1000000001}, "quantity: must be at most 1000000000"),
        ({"quantity": "{{strategy.order.contracts}}"}, "quantity: has a placeholder"),
        ({"contracts": 2}, "quantity and contracts differ. Send one of them."),
        ({"quantity": 1, "Quantity": 2}, "Quantity: is said twice, differently."),
        ({"quantityType": "risk_percent"}, "quantityType: must be one of shares, cash"),
        ({"quantity": "101%", "action": "close"}, "quantity: must be at most 100 percent"),
        ({"sizeUsd": 5}, "sizeUsd: and a quantity are both there"),
        ({"sizeByLeverage": 5}, "sizeByLeverage: is not known"),
        ({"risk_percentage": 1}, "risk_percentage: and a quantity are both there"),
        ({"position_size": "5%"}, "position_size: must be a number of shares"),
        ({"action": "reduce", "quantity": 0}, "quantity: is needed to reduce"),
    ],
)
def test_sizes_that_are_refused(fields: dict[str, Any], reason: str) -> None:
    assert refused(said(**fields)).reason.startswith(reason)


def test_volume_of_the_bar_is_no_size() -> None:
    signal = understood({"ticker": "AAPL", "action": "buy", "volume": 3_000_000})

    assert signal.quantity is None
    assert signal.warnings == ("volume was taken for that of the bar. Send a size as quantity.",)


@pytest.mark.parametrize(
    ("fields", "became"),
    [
        ({"limit_price": 190}, {"order_type": "limit", "limit_price": "190"}),
        ({"stopPrice": "190"}, {"order_type": "stop", "stop_price": "190"}),
        ({"trail_percent": 2}, {"order_type": "trailing_stop", "trail_percent": "2"}),
        ({"price": 190}, {"reference_price": "190"}),
        ({"price": "190", "type": "limit"}, {"order_type": "limit", "limit_price": "190"}),
        ({"type": "market", "time_in_force": "GTC"}, {"time_in_force": "gtc"}),
        (
            {"type": "market", "limit_price": 190},
            {"warnings": ("Not acted on: limit_price; a market order has none.",)},
        ),
        ({"action": "ORDER_TYPE_BUY_LIMIT", "price": 3, "type": "limit"}, {"limit_price": "3"}),
    ],
)
def test_orders(fields: dict[str, Any], became: dict[str, Any]) -> None:
    signal = brief(understood(said(**fields)))

    assert {name: signal[name] for name in became} == became


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "limit"}, "limit_price: a limit order needs it"),
        ({"type": "limit", "limit_price": 0}, "limit_price: a limit order needs it"),
        ({"orderType": "stop"}, "stop_price: a stop order needs it"),
        ({"orderType": "iceberg"}, "orderType: must be one of market, limit"),
        ({"orderType": "limit", "type": "stop"}, "orderType: and type contradict"),
        ({"orderType": "trailing_stop"}, "trail_percent: a trailing_stop order needs it"),
        ({"limit_price": -5}, "limit_price: must be a price"),
        ({"time_in_force": "gtd"}, "time_in_force: must be one of day"),
        ({"orderType": "limit", "orderPriceOffset": "1"}, "orderPriceOffset: is not known"),
        ({"stopLoss": {"percent": 100}}, "stop_loss: must be less than 100 percent away"),
        ({"stopLoss": -5}, "stopLoss: must be more than 0"),
        ({"tp": 5, "percentage_tp": 5}, "takeprofit: is said in several ways"),
        ({"stopLoss": {"type": "stop_limit", "stopPrice": 5}}, "stopLoss.limitPrice: is needed"),
        ({"stopLoss": {"type": "chandelier"}}, "stopLoss.type: must be"),
        ({"max_lag": -1}, "max_lag: must be a number of seconds"),
    ],
)
def test_orders_that_are_refused(fields: dict[str, Any], reason: str) -> None:
    assert refused(said(**fields)).reason.startswith(reason)


def test_exits_of_an_alert_that_opens_nothing_are_not_acted_on() -> None:
    signal = understood(said(action="close", tp=5))

    assert signal.take_profit is None
    assert signal.warnings == ("Not acted on: take_profit, stop_loss; nothing is opened.",)


@pytest.mark.parametrize(
    ("symbol", "ticker", "exchange"),
    [
        ("aapl", "AAPL", None),
        (" NASDAQ:AAPL ", "AAPL", "NASDAQ"),
        ("NYSE:BRK.B", "BRK.B", "NYSE"),
        ("BINANCE:BTCUSDT.P", "BTCUSDT.P", "BINANCE"),
        ("CME_MINI:NQ1!", "QQQ", "CME_MINI"),
        ("nq1!", "QQQ", None),
        ("TSX:SHOP", "SHOP-TO", "TSX"),
    ],
)
def test_symbols(symbol: str, ticker: str, exchange: str | None) -> None:
    signal = understood(said(ticker=symbol), **{"NQ1!": "QQQ", "tsx:shop": "SHOP-TO"})

    assert (signal.ticker, signal.exchange) == (ticker, exchange)


@pytest.mark.parametrize(
    "symbol", ["NQ1!", "BTC/USDT", "1INCH", "", 5, None, "A" * 99, "\u0410APL"]
)
def test_symbols_that_are_no_tickers_are_refused(symbol: Any) -> None:
    assert "ticker" in refused(said(ticker=symbol)).reason


def test_two_symbols_that_differ_are_refused() -> None:
    assert refused(said(symbol="MSFT")).reason == "symbol and ticker differ. Send one of them."
    assert understood(said(symbol="nasdaq:aapl")).ticker == "AAPL"


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T14:30:00Z",
        "2026-11-22T14:30:00.000000+00:00",
        "2026-11-22 14:30",
        "2026-11-22T09:30:00-0500",
        1795357800,
        " 1795357800 ",
        1795357800000,
        "1795357800000.0",
    ],
)
def test_moments(moment: Any) -> None:
    signal = understood(said(time=moment))

    assert signal.sent_at == datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
    assert signal.carries_time


@pytest.mark.parametrize(
    "moment", ["now", "2026-11-22", "2026-13-22T14:30:00Z", 5, True, "9" * 19, "0001-01-01T00:00Z"]
)
def test_what_is_no_moment_is_a_warning(moment: Any) -> None:
    signal = understood(said(time=moment))

    assert (signal.sent_at, signal.carries_time, signal.time_unread) == (None, False, True)
    assert signal.warnings == ("time: is no moment such as 2026-11-22T14:30:00Z.",)


def test_lag_without_a_time_is_not_acted_on() -> None:
    assert "does not say when" in understood(said(max_lag=60)).warnings[0]


def test_texts_are_kept_clean_and_short() -> None:
    signal = understood(
        said(strategy="a\u202eb\x07c\n d", order_id="Long", comment="x" * 2000, leverage=5)
    )

    assert signal.strategy == "abc d"
    assert signal.order_name == "Long"
    assert signal.note == "x" * 1024
    assert signal.warnings == ("Not acted on: leverage.",)


def test_all_problems_are_told_at_once() -> None:
    problems = refused({"ticker": "?", "action": "yolo", "quantity": "x"}).problems

    assert [problem.partition(":")[0] for problem in problems] == ["ticker", "action"]


@pytest.mark.parametrize("name", ["signal_id", "idempotencyKey", "client_order_id"])
def test_explicit_ids(name: str) -> None:
    assert understood(said(**{name: "a-1"})).explicit_id == "a-1"
    assert understood(said(**{name: 17})).explicit_id == "17"
    assert understood(said(**{name: "{{timenow}}"})).explicit_id is None


def test_amounts_survive_to_the_last_digit() -> None:
    signal = understood('{"ticker":"AAPL","action":"buy","quantity":123456789.123456789}')

    assert signal.quantity is not None
    assert signal.quantity.amount == Decimal("123456789.123456789")
    assert '"amount":"123456789.123456789"' in signal.model_dump_json()
