"""Every example of an alert in the wild, and what it became."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.model import Form, Understood
from support.alerts import AT, body, brief, refused, shares, understood

SENT = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


def template(action: str, contracts: str, size: str, now: str, before: str) -> str:
    return (
        f'{{"secret":"hunter2","ticker":"AAPL","exchange":"NASDAQ","action":"{action}",'
        f'"order_id":"Long","price":187.2,"position_size":{size},"market_position":"{now}",'
        f'"prev_market_position":"{before}","contracts":{contracts},"interval":"5","time":"{AT}"}}'
    )


@pytest.mark.parametrize(
    ("action", "contracts", "size", "now", "before"),
    [
        ("buy", "10", "10", "long", "flat"),
        ("sell", "10", "0", "flat", "long"),
        ("sell", "20", "-10", "short", "long"),
        ("sell", "4", "6", "long", "long"),
    ],
    ids=["opened", "closed", "reversed", "reduced"],
)
def test_plain_template_says_the_position_to_hold(
    action: str, contracts: str, size: str, now: str, before: str
) -> None:
    signal = understood(template(action, contracts, size, now, before))

    assert brief(signal) == {
        "intent": "target",
        "ticker": "AAPL",
        "exchange": "NASDAQ",
        "target": size,
        "reference_price": "187.2",
        "sent_at": SENT,
        "order_name": "Long",
        "market_position": now,
        "prev_market_position": before,
    }
    assert signal.form is Form.plain


def openalgo(**more: str) -> dict[str, str]:
    return {
        "apikey": "hunter2",
        "strategy": "TVSmart",
        "symbol": "SBIN",
        "exchange": "NSE",
        "action": "buy",
        "quantity": "5",
        "pricetype": "MARKET",
        "product": "MIS",
        **more,
    }


def test_openalgo_smart_order_is_a_target() -> None:
    signal = understood(openalgo(position_size="5"))

    assert brief(signal) == {
        "intent": "target",
        "ticker": "SBIN",
        "exchange": "NSE",
        "target": "5",
        "strategy": "TVSmart",
        "warnings": ("Not acted on: product.",),
    }
    assert signal.form is Form.openalgo


@pytest.mark.parametrize(
    ("said", "became"),
    [
        ({"pricetype": "MARKET", "price": "0", "trigger_price": "0"}, {}),
        ({"pricetype": "LIMIT", "price": "610.5"}, {"order_type": "limit", "limit_price": "610.5"}),
        (
            {"pricetype": "SL", "price": "610.5", "trigger_price": "610"},
            {"order_type": "stop_limit", "limit_price": "610.5", "stop_price": "610"},
        ),
        (
            {"pricetype": "SL-M", "trigger_price": "610"},
            {"order_type": "stop", "stop_price": "610"},
        ),
    ],
    ids=["market", "limit", "stop-limit", "stop"],
)
def test_openalgo_order_types(said: dict[str, str], became: dict[str, Any]) -> None:
    signal = brief(understood(openalgo(product="CNC", **said)))

    assert signal == {
        "intent": "buy",
        "ticker": "SBIN",
        "exchange": "NSE",
        "quantity": shares("5"),
        "strategy": "TVSmart",
        "warnings": ("Not acted on: product.",),
        **became,
    }


@pytest.mark.parametrize(("action", "size"), [("BUY", "100"), ("SELL", "0"), ("SELL", "-100")])
def test_openalgo_strategy_webhook(action: str, size: str) -> None:
    signal = understood({"symbol": "SBIN", "action": action, "position_size": size})

    assert brief(signal) == {"intent": "target", "ticker": "SBIN", "target": size}


def three_commas(action: str, position: str, size: str, before: str, before_size: str) -> Any:
    return {
        "secret": "hunter2",
        "max_lag": "300",
        "timestamp": AT,
        "trigger_price": "187.2",
        "tv_exchange": "NASDAQ",
        "tv_instrument": "AAPL",
        "action": action,
        "bot_uuid": "b-1",
        "strategy_info": {
            "market_position": position,
            "market_position_size": size,
            "prev_market_position": before,
            "prev_market_position_size": before_size,
        },
        "order": {"amount": "10", "currency_type": "base"},
    }


@pytest.mark.parametrize(
    ("said", "became"),
    [
        (
            three_commas("buy", "long", "10", "flat", "0"),
            {"intent": "buy", "quantity": shares("10"), "market_position": "long"},
        ),
        (three_commas("sell", "flat", "0", "long", "10"), {"intent": "close"}),
        (
            three_commas("sell", "short", "5", "long", "5"),
            {"intent": "sell", "quantity": shares("10"), "market_position": "short"},
        ),
    ],
    ids=["buy", "flat", "sell"],
)
def test_3commas_strategy_type(said: Any, became: dict[str, Any]) -> None:
    info = said["strategy_info"]
    signal = understood(said)

    assert brief(signal) == {
        "ticker": "AAPL",
        "exchange": "NASDAQ",
        "reference_price": "187.2",
        "sent_at": SENT,
        "max_lag": "300",
        "market_position": info["market_position"],
        "market_position_size": info["market_position_size"],
        "prev_market_position": info["prev_market_position"],
        "prev_market_position_size": info["prev_market_position_size"],
        "warnings": ("Not acted on: bot_uuid.",),
        **became,
    }
    assert signal.form is Form.three_commas


@pytest.mark.parametrize("action", ["enter_long", "exit_long", "enter_short", "exit_short"])
def test_3commas_custom_type(action: str) -> None:
    said = three_commas(action, "", "", "", "")
    del said["strategy_info"], said["order"]

    assert understood(said).intent == action
    assert understood(said).quantity is None


def test_traderspost_percentages() -> None:
    signal = understood(
        '{"ticker":"AMD","action":"buy","signalPrice":143.12,"quantity":1,'
        '"takeProfit":{"percent":10},"stopLoss":{"type":"stop","percent":5}}'
    )

    assert brief(signal) == {
        "intent": "buy",
        "ticker": "AMD",
        "quantity": shares("1"),
        "take_profit": {"percent": Decimal(10)},
        "stop_loss": {"percent": Decimal(5)},
        "reference_price": "143.12",
    }
    assert signal.form is Form.traderspost


@pytest.mark.parametrize(
    ("action", "sentiment", "became"),
    [
        ("buy", "long", {"intent": "buy", "quantity": shares("10")}),
        ("sell", "flat", {"intent": "close"}),
        ("sell", "short", {"intent": "sell", "quantity": shares("10")}),
    ],
)
def test_traderspost_sentiment(action: str, sentiment: str, became: dict[str, Any]) -> None:
    signal = understood(
        {"ticker": "NASDAQ:AMD", "action": action, "sentiment": sentiment, "quantity": "10"}
    )

    assert brief(signal) == {
        "ticker": "AMD",
        "exchange": "NASDAQ",
        "market_position": sentiment,
        **became,
    }


@pytest.mark.parametrize(
    ("said", "became"),
    [
        (
            {"orderType": "stop_limit", "stopPrice": 100, "limitPrice": 99},
            {"order_type": "stop_limit", "stop_price": "100", "limit_price": "99"},
        ),
        ({"orderType": "market"}, {}),
        ({"orderType": "limit", "limitPrice": 99}, {"order_type": "limit", "limit_price": "99"}),
        ({"orderType": "stop", "stopPrice": 100}, {"order_type": "stop", "stop_price": "100"}),
        (
            {"orderType": "trailing_stop", "trailAmount": 5},
            {"order_type": "trailing_stop", "trail_price": "5"},
        ),
        (
            {"orderType": "trailing_stop", "trailPercent": 2.5},
            {"order_type": "trailing_stop", "trail_percent": "2.5"},
        ),
        (
            {"stopLoss": {"type": "stop_limit", "stopPrice": 90, "limitPrice": 89.5}},
            {"stop_loss": {"price": Decimal(90), "limit_price": Decimal("89.5")}},
        ),
        (
            {"takeProfit": {"limitPrice": 110}, "stopLoss": {"amount": 2}},
            {
                "take_profit": {"price": Decimal(110)},
                "stop_loss": {"amount": Decimal(2), "amount_of": "share"},
            },
        ),
        (
            {"stopLoss": {"type": "trailing_stop", "trailPercent": 5}},
            {"stop_loss": {"trail_percent": Decimal(5)}},
        ),
        (
            {"quantityType": "dollar_amount", "quantity": 1000},
            {"quantity": shares("1000", "cash")},
        ),
        (
            {"quantityType": "percent_of_equity", "quantity": 10},
            {"quantity": shares("10", "percent_of_equity")},
        ),
        ({}, {}),
    ],
)
def test_traderspost_orders(said: dict[str, Any], became: dict[str, Any]) -> None:
    signal = understood({"ticker": "AAPL", "action": "buy", **said})

    assert brief(signal) == {"intent": "buy", "ticker": "AAPL", **became}


@pytest.mark.parametrize(
    ("action", "intent"), [("exit", "close"), ("cancel", "cancel"), ("add", "enter_long")]
)
def test_traderspost_actions(action: str, intent: str) -> None:
    assert understood({"ticker": "AAPL", "action": action}).intent == intent


def pickmytrade(**more: Any) -> dict[str, Any]:
    return {
        "symbol": "NQM5",
        "date": AT,
        "data": "buy",
        "quantity": 10,
        "risk_percentage": 0,
        "price": "187.2",
        "tp": 0,
        "percentage_tp": 100,
        "dollar_tp": 0,
        "sl": 0,
        "dollar_sl": 0,
        "percentage_sl": 50,
        "order_type": "MKT",
        "update_tp": False,
        "update_sl": False,
        "token": "hunter2",
        "duplicate_position_allow": True,
        "platform": "RITHMIC",
        "reverse_order_close": True,
        "multiple_accounts": [
            {
                "token": "hunter2",
                "account_id": "BG28198",
                "risk_percentage": 0,
                "quantity_multiplier": 1,
            }
        ],
        **more,
    }


@pytest.mark.parametrize(("data", "intent"), [("buy", "enter_long"), ("sell", "enter_short")])
def test_pickmytrade_reverses_and_opens(data: str, intent: str) -> None:
    signal = understood(pickmytrade(data=data))

    assert brief(signal) == {
        "intent": intent,
        "ticker": "NQM5",
        "quantity": shares("10"),
        "take_profit": {"percent": Decimal(100)},
        "stop_loss": {"percent": Decimal(50)},
        "reference_price": "187.2",
        "sent_at": SENT,
        "warnings": ("Not acted on: duplicate_position_allow, account_id.",),
    }
    assert signal.form is Form.pickmytrade


def test_pickmytrade_closes_all() -> None:
    signal = understood(pickmytrade(data="close", quantity=0, percentage_tp=0, percentage_sl=0))

    assert signal.intent == "close"
    assert signal.quantity is None


@pytest.mark.parametrize(
    ("said", "became"),
    [
        ({"order_type": "LMT", "price": "187"}, {"order_type": "limit", "limit_price": "187"}),
        ({"order_type": "STP", "price": "187"}, {"order_type": "stop", "stop_price": "187"}),
        ({"reverse_order_close": False}, {"intent": "buy"}),
        (
            {"percentage_tp": 0, "dollar_tp": 200, "percentage_sl": 0, "sl": 180},
            {
                "take_profit": {"amount": Decimal(200), "amount_of": "total"},
                "stop_loss": {"price": Decimal(180)},
            },
        ),
    ],
)
def test_pickmytrade_orders(said: dict[str, Any], became: dict[str, Any]) -> None:
    signal = brief(understood(pickmytrade(**said)))

    assert {name: signal[name] for name in became} == became


def test_pickmytrade_multiplies_for_each_account() -> None:
    accounts = [
        {"account_id": "A", "quantity_multiplier": 2},
        {"account_id": "B", "quantity_multiplier": "0.5"},
        {"account_id": "C", "quantity_multiplier": 0, "risk_percentage": 2},
    ]
    delivery = read_body(body(pickmytrade(multiple_accounts=accounts)))

    assert [brief(s)["quantity"] for s in delivery.signals if isinstance(s, Understood)] == [
        shares("20"),
        shares("5"),
        shares("2", "percent_of_equity"),
    ]


def okx(**more: str) -> dict[str, str]:
    return {
        "id": "Long",
        "action": "buy",
        "marketPosition": "long",
        "prevMarketPosition": "flat",
        "instrument": "BTCUSDT.P",
        "signalToken": "hunter2",
        "timestamp": AT,
        "maxLag": "60",
        "investmentType": "base",
        "amount": "0.5",
        **more,
    }


@pytest.mark.parametrize(
    ("action", "now", "became"),
    [
        ("buy", "long", {"intent": "buy", "quantity": shares("0.5")}),
        ("sell", "flat", {"intent": "close"}),
        ("sell", "short", {"intent": "sell", "quantity": shares("0.5")}),
    ],
)
def test_okx_strategy(action: str, now: str, became: dict[str, Any]) -> None:
    signal = understood(okx(action=action, marketPosition=now, prevMarketPosition="long"))

    assert brief(signal) == {
        "ticker": "BTCUSDT.P",
        "sent_at": SENT,
        "max_lag": "60",
        "order_name": "Long",
        "market_position": now,
        "prev_market_position": "long",
        **became,
    }
    assert signal.form is Form.okx


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("ENTER_LONG", "percent_of_equity"),
        ("ENTER_SHORT", "percent_of_equity"),
        ("EXIT_LONG", "percent_of_position"),
        ("EXIT_SHORT", "percent_of_position"),
    ],
)
def test_okx_universal_form(action: str, kind: str) -> None:
    said = {
        "action": action,
        "instrument": "BTCUSDT.P",
        "signalToken": "hunter2",
        "orderType": "market",
        "orderPriceOffset": "",
        "amount": "50",
        "investmentType": "percentage_balance",
    }

    assert brief(understood(said)) == {
        "intent": action.lower(),
        "ticker": "BTCUSDT.P",
        "quantity": shares("50", kind),
    }


def altrady(action: str, **more: str) -> dict[str, str]:
    keys = {"api_key": "hunter2", "api_secret": "hunter3"}
    return {**keys, "action": action, "exchange": "BYBI", "symbol": "BYBI_USDT_SOL", **more}


@pytest.mark.parametrize(
    ("action", "intent"),
    [
        ("open", "enter_long"),
        ("increase", "enter_long"),
        ("close", "close"),
        ("reverse", "reverse"),
    ],
)
def test_altrady_by_the_map_of_the_webhook(action: str, intent: str) -> None:
    signal = understood(altrady(action), BYBI_USDT_SOL="SOL-USDT")

    assert (signal.intent, signal.ticker, signal.exchange) == (intent, "SOL-USDT", "BYBI")
    assert signal.form is Form.altrady
    assert "The alert says no size." in signal.warnings


def test_altrady_reduces_by_a_size_alone() -> None:
    signal = understood(altrady("reduce", amount="50%"), BYBI_USDT_SOL="SOL-USDT")
    assert (signal.intent, brief(signal)["quantity"]) == (
        "close",
        shares("50", "percent_of_position"),
    )

    said = refused(altrady("reduce"), BYBI_USDT_SOL="SOL-USDT")
    assert said.reason.startswith("quantity: is needed to reduce a position")


def test_altrady_symbol_that_nobody_mapped_is_named() -> None:
    assert "BYBI_USDT_SOL is not a ticker" in refused(altrady("open")).reason


@pytest.mark.parametrize(("kind", "intent"), [("BUY", "enter_long"), ("SELL", "enter_short")])
def test_metaapi(kind: str, intent: str) -> None:
    signal = understood(
        f'{{"symbol":"EURUSD","type":"POSITION_TYPE_{kind}","time":"2026-11-22T14:30:00.000Z",'
        '"volume":0.01,"stopLoss":0.4,"takeProfit":0.6}'
    )

    assert brief(signal) == {
        "intent": intent,
        "ticker": "EURUSD",
        "quantity": shares("0.01"),
        "take_profit": {"price": Decimal("0.6")},
        "stop_loss": {"price": Decimal("0.4")},
        "sent_at": SENT,
    }
    assert signal.form is Form.metaapi


@pytest.mark.parametrize(
    ("flag", "intent"), [("isBuy", "buy"), ("isSell", "sell"), ("isClose", "close")]
)
def test_tv_hub(flag: str, intent: str) -> None:
    flags = {"isBuy": False, "isSell": False, "isClose": False, flag: True}
    signal = understood(
        {
            "token": "hunter2",
            "exchange": "BINANCE",
            "pair": "BTCUSDT",
            **flags,
            "alertTimestamp": f"BTCUSDT-{AT}",
        }
    )

    assert brief(signal) == {
        "intent": intent,
        "ticker": "BTCUSDT",
        "exchange": "BINANCE",
        "explicit_id": f"BTCUSDT-{AT}",
    }
    assert signal.form is Form.tv_hub


def processor(direction: str, size: str) -> dict[str, str]:
    return {"stub": "dev", "direction": direction, "symbol": "ETH-PERP", "size": size, "max": "500"}


@pytest.mark.parametrize(
    ("direction", "size", "intent", "quantity"),
    [
        ("long", "50", "enter_long", shares("50")),
        ("short", "5%", "enter_short", shares("5", "percent_of_equity")),
        ("close", "50%", "close", shares("50", "percent_of_position")),
    ],
)
def test_alerts_processor(direction: str, size: str, intent: str, quantity: Any) -> None:
    signal = understood(processor(direction, size))

    assert brief(signal) == {
        "intent": intent,
        "ticker": "ETH-PERP",
        "quantity": quantity,
        "warnings": ("Not acted on: stub, max.",),
    }
    assert signal.form is Form.alerts_processor


def test_alerts_processor_array_is_one_signal_an_element() -> None:
    delivery = read_body(body([processor("close", "100%"), processor("long", "50")]))

    intents = [s.intent for s in delivery.signals if isinstance(s, Understood)]
    assert intents == ["close", "enter_long"]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_kitkat(side: str) -> None:
    signal = understood(f'{{"symbol":"ETH-USD","side":"{side}","size":0.5}}')

    assert brief(signal) == {"intent": side, "ticker": "ETH-USD", "quantity": shares("0.5")}
    assert signal.form is Form.kitkat


def test_bots_with_a_key_and_anything_need_a_symbol_and_an_action() -> None:
    assert refused({"key": "hunter2", "msg": "BTC to the moon", "telegram": "1"}).reason == (
        "The alert names no ticker. Send one, such as ticker: AAPL."
    )
    assert understood({"key": "hunter2", "symbol": "AAPL", "side": "Sell"}).intent == "sell"


def test_nested_strategy_template() -> None:
    signal = understood(
        {
            "passphrase": "hunter2",
            "time": AT,
            "exchange": "NASDAQ",
            "ticker": "AAPL",
            "bar": {"time": AT, "open": 1, "high": 2, "low": 1, "close": 187.2, "volume": 3000},
            "strategy": {
                "position_size": 10,
                "order_action": "buy",
                "order_contracts": 10,
                "order_price": 187.2,
                "order_id": "Long",
                "market_position": "long",
                "market_position_size": 10,
                "prev_market_position": "flat",
                "prev_market_position_size": 0,
            },
        }
    )

    assert (signal.intent, signal.target) == ("target", 10)
    assert signal.warnings == ()
    assert (signal.prev_market_position, signal.prev_market_position_size) == ("flat", 0)
