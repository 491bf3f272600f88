"""One alert in each form that senders use, and how it reaches the desk. Each buys once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

TICKERS: Final = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX")
_BEGIN: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

Form = Callable[[str, str, str, int], "str | dict[str, Any]"]
"""Makes a body of a ticker, a quantity, a time and a number; an object may carry a secret."""


def _three_commas(ticker: str, quantity: str, at: str, number: int) -> dict[str, Any]:
    return {
        "max_lag": "30000000",
        "timestamp": at,
        "trigger_price": "190.1",
        "tv_exchange": "NASDAQ",
        "tv_instrument": ticker,
        "action": "buy",
        "bot_uuid": f"bot-{number}",
        "strategy_info": {"market_position": "long", "prev_market_position": "long"},
        "order": {"amount": quantity, "currency_type": "base"},
    }


def _pickmytrade(ticker: str, quantity: str, at: str, _number: int) -> dict[str, Any]:
    return {
        "symbol": ticker,
        "date": at,
        "data": "buy",
        "quantity": quantity,
        "risk_percentage": 0,
        "price": "190",
        "tp": 0,
        "sl": 0,
        "order_type": "MKT",
        "platform": "RITHMIC",
    }


FORMS: Final[tuple[Form, ...]] = (
    lambda t, q, at, n: {"ticker": t, "action": "buy", "quantity": q, "time": at, "id": f"L{n}"},
    lambda t, q, _, n: {
        "ticker": f"NASDAQ:{t}",
        "action": "buy",
        "quantity": q,
        "signal_id": f"{n}",
    },
    lambda t, q, _, n: {"symbol": t, "action": "BUY", "quantity": q, "strategy": f"TVSmart {n}"},
    _three_commas,
    lambda t, q, _, n: {
        "ticker": t,
        "action": "buy",
        "signalPrice": 143.12,
        "quantity": q,
        "extras": {"n": n},
    },
    _pickmytrade,
    lambda t, q, at, _: {
        "id": "Long",
        "action": "buy",
        "marketPosition": "long",
        "instrument": t,
        "timestamp": at,
        "investmentType": "base",
        "amount": q,
    },
    lambda t, q, _, n: {
        "action": "open",
        "exchange": "NASDAQ",
        "symbol": t,
        "side": "long",
        "amount": q,
        "note": f"n{n}",
    },
    lambda t, q, at, _: {"symbol": t, "type": "POSITION_TYPE_BUY", "time": at, "volume": q},
    lambda t, q, _, n: {"pair": t, "isBuy": True, "quantity": q, "alertTimestamp": f"{t}-{n}"},
    lambda t, q, _, n: {"stub": f"dev{n}", "direction": "long", "symbol": t, "size": q},
    lambda t, q, _, n: {"symbol": t, "side": "buy", "size": q, "client_order_id": f"order-{n}"},
    lambda t, q, _, n: f"MyKeys(NASDAQ:{t}) {{ market(side=buy, amount={q}); }}  #bot{n}",
    lambda t, q, _, _n: f"e=nasdaq s={t} b=long q={q} t=market",
    lambda t, q, _, _n: f"PasswordTest\nlong {t} q={q}",
    lambda t, _q, _at, n: f"bva_key|strategy {n}|buy|{t}",
    lambda t, q, _, _n: f"BUY_NASDAQ_{t}_{q}",
    lambda t, q, at, n: f"ticker={t}&action=buy&quantity={q}&time={at}&order_id={n}",
)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, to one of some webhooks; no two say the same."""

    number: int
    webhook: int
    said: "str | dict[str, Any]"

    @property
    def may_share(self) -> bool:
        """Whether it is the same alert wherever in an array it stands."""
        return isinstance(self.said, dict) and bool(
            self.said.keys() & {"signal_id", "alertTimestamp", "client_order_id"}
        )


def alerts(count: int, webhooks: int) -> list[Alert]:
    """Return alerts of every form in turn, spread over webhooks and tickers."""
    made: list[Alert] = []
    for number in range(count):
        at = (_BEGIN + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
        form = FORMS[number % len(FORMS)]
        said = form(TICKERS[number % len(TICKERS)], f"0.0{number + 1:04d}", at, number)
        made.append(Alert(number, number % webhooks, said))
    return made


def body_of(alert: Alert, secret: str) -> "str | dict[str, Any]":
    """Return what is sent: with the secret of the webhook in it where the sender has one there."""
    if isinstance(alert.said, dict) and alert.number % 3 == 0:
        return alert.said | {"secret": secret}
    return alert.said


def written(body: "str | dict[str, Any] | list[Any]") -> bytes:
    """Return the bytes of a body."""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
