"""Alerts that are no JSON."""

from decimal import Decimal
from typing import Any

import pytest

from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.model import Form, NotUnderstood, Understood
from support.alerts import body, brief, refused, shares, understood


def all_understood(text: str) -> list[dict[str, Any]]:
    signals = read_body(body(text)).signals
    assert all(isinstance(signal, Understood) for signal in signals), signals
    return [brief(signal) for signal in signals if isinstance(signal, Understood)]


def test_alertatron_market_order() -> None:
    signal = understood("MyKeys(XBTUSD) { market(side=buy, amount=100); }  #bot")

    assert brief(signal) == {"intent": "buy", "ticker": "XBTUSD", "quantity": shares("100")}
    assert signal.form is Form.alertatron


def test_alertatron_commands_are_signals_in_their_order() -> None:
    said = """MyKeys(XBTUSD) {
        exchangeSettings(leverage=5);
        cancel(which=all);
        market(position=-100);
        limit(side=buy, amount=50%, offset=@9000.5);
        stopOrder(side=buy, amount=10, offset=@9900, reduceOnly=true);
        close(amount=50%p);
    }
    Others(BTCUSD) { market(side=sell, amount=1) }
    #bot"""

    warning = ("Not acted on: exchangeSettings.",)
    assert all_understood(said) == [
        {
            "intent": "cancel",
            "ticker": "XBTUSD",
            "warnings": ("Not acted on: cancel_which, exchangeSettings.",),
        },
        {"intent": "target", "ticker": "XBTUSD", "target": "-100", "warnings": warning},
        {
            "intent": "buy",
            "ticker": "XBTUSD",
            "quantity": shares("50", "percent_of_equity"),
            "order_type": "limit",
            "limit_price": "9000.5",
            "warnings": warning,
        },
        {
            "intent": "exit_short",
            "ticker": "XBTUSD",
            "quantity": shares("10"),
            "order_type": "stop",
            "stop_price": "9900",
            "warnings": warning,
        },
        {
            "intent": "close",
            "ticker": "XBTUSD",
            "quantity": shares("50", "percent_of_position"),
            "warnings": warning,
        },
        {"intent": "sell", "ticker": "BTCUSD", "quantity": shares("1")},
    ]


@pytest.mark.parametrize(
    ("commands", "named"),
    [
        ("market(side=buy, amount=1); twapOrder(side=sell, amount=1);", "twapOrder"),
        ("continue(if=positionLong); market(side=sell, amount=1);", "continue"),
        ("limit(side=buy, amount=1, offset=5);", "offset"),
        ("market(side=buy, amount=1, iceberg=3);", "iceberg"),
        ("market(buy 1);", "market"),
        ("please buy", "please buy"),
    ],
)
def test_alertatron_command_that_is_not_known_stops_all(commands: str, named: str) -> None:
    assert named in refused(f"MyKeys(XBTUSD) {{ {commands} }}").reason


def test_autoview_line() -> None:
    signal = understood("e=kraken s=BTCUSD b=long q=1% t=market sl=2% tp=5%")

    assert brief(signal) == {
        "intent": "enter_long",
        "ticker": "BTCUSD",
        "exchange": "KRAKEN",
        "quantity": shares("1", "percent_of_equity"),
        "take_profit": {"percent": Decimal(5)},
        "stop_loss": {"percent": Decimal(2)},
    }
    assert signal.form is Form.autoview


@pytest.mark.parametrize(
    ("line", "became"),
    [
        ("s=AAPL c=position t=market", {"intent": "close"}),
        ("s=AAPL c=position b=long", {"intent": "exit_long"}),
        ("s=AAPL c=short q=50%", {"intent": "exit_short"}),
        ("s=AAPL c=order b=long id=x", {"intent": "cancel", "order_name": "x"}),
        ("s=AAPL b=sell q=50% t=fok", {"intent": "sell", "time_in_force": "fok"}),
        ("s=AAPL b=buy q=1 p=190", {"order_type": "limit", "limit_price": "190"}),
        ("s=AAPL b=buy q=1 l=5 delay=2", {"warnings": ("Not acted on: l, delay.",)}),
    ],
)
def test_autoview_keys(line: str, became: dict[str, Any]) -> None:
    signal = brief(understood(line))

    assert {name: signal.get(name) for name in became} == became


def test_autoview_lines_are_signals_in_their_order() -> None:
    said = all_understood("s=AAPL c=position\r\ns=MSFT b=long q=2\r\n")

    assert [(each["intent"], each["ticker"]) for each in said] == [
        ("close", "AAPL"),
        ("enter_long", "MSFT"),
    ]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("s=AAPL b=long q=1 d=1", "d: switches the line off"),
        ("s=AAPL c=everything", "c: must be"),
        ("s=AAPL c=position b=maybe", "maybe contradicts it"),
        ("s=AAPL b=hold q=1", "hold is no action"),
        ("b=long q=1", "names no ticker"),
        ("s=AAPL b=long q=1 p=1% t=limit", "must be a price"),
    ],
)
def test_autoview_line_that_cannot_be_acted_on_says_why(line: str, named: str) -> None:
    assert named in refused(line).reason


def test_password_line_stands_above_a_command() -> None:
    delivery = read_body(b"PasswordTest\nlong BTCUSD q=0.1 sl=1000 tp=1000")

    (signal,) = delivery.signals
    assert isinstance(signal, Understood)
    ten_dollars = {"amount": Decimal(10), "amount_of": "share"}
    assert brief(signal) == {
        "intent": "enter_long",
        "ticker": "BTCUSD",
        "quantity": shares("0.1"),
        "take_profit": ten_dollars,
        "stop_loss": ten_dollars,
    }
    assert signal.form is Form.command_line
    assert delivery.secrets == ("PasswordTest",)
    assert b"PasswordTest" not in delivery.redacted


@pytest.mark.parametrize(
    ("line", "became"),
    [
        ("flat BTCUSD", {"intent": "close"}),
        ("short BTCUSD q=10 qt=percent", {"quantity": shares("10", "percent_of_equity")}),
        ("long BTCUSD q=1 slp=90 tpp=110", {"stop_loss": {"price": Decimal(90)}}),
        ("long BTCUSD q=1 sl=3% tp=4%", {"take_profit": {"percent": Decimal(4)}}),
    ],
)
def test_command_lines(line: str, became: dict[str, Any]) -> None:
    signal = brief(understood(f"PasswordTest\n{line}"))

    assert {name: signal[name] for name in became} == became
    assert brief(understood(line)) == signal


def test_several_command_lines_below_one_password() -> None:
    said = all_understood("PasswordTest\nflat AAPL\nlong MSFT q=1")

    assert [each["ticker"] for each in said] == ["AAPL", "MSFT"]


def test_pipes() -> None:
    delivery = read_body(b"bva_key|strategy name|buy|BTCUSDT")

    (signal,) = delivery.signals
    assert isinstance(signal, Understood)
    assert brief(signal) == {"intent": "buy", "ticker": "BTCUSDT", "strategy": "strategy name"}
    assert signal.form is Form.pipes
    assert delivery.secrets == ("bva_key",)
    assert b"bva_key" not in delivery.redacted


def test_gunbot_subject() -> None:
    signal = understood("BUY_EXCHANGE_USDT-BTC_0.1")

    assert brief(signal) == {
        "intent": "buy",
        "ticker": "USDT-BTC",
        "exchange": "EXCHANGE",
        "quantity": shares("0.1"),
    }
    assert signal.form is Form.gunbot


@pytest.mark.parametrize(
    "text",
    ["hello", "please buy AAPL", "a|b|c", "long", "key=hunter2", "{{ticker}}", "AAPL crossed 190"],
)
def test_prose_is_not_understood(text: str) -> None:
    assert isinstance(refused(text), NotUnderstood)


def test_time_in_a_text_is_its_time() -> None:
    text = "s=AAPL b=long q=1 time=2026-11-22T14:30:00Z"

    assert understood(text).carries_time
    assert not understood("s=AAPL b=long q=1").carries_time


def test_more_than_a_hundred_lines_are_refused() -> None:
    assert "more than 100" in refused("\n".join(["s=AAPL b=long q=1"] * 101)).reason
