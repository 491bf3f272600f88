"""`paperdesk buy` and `sell`: a market order at the current price, booked exactly once."""

from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from paperdesk.cli.answers import Booked
from paperdesk.cli.client import Desk
from paperdesk.cli.options import Remote
from paperdesk.cli.output import clean, money, price, quantity, say, show_json, signed
from paperdesk.ids import new_id

Ticker = Annotated[str, Parameter(help="The stock, such as AAPL.")]
Quantity = Annotated[str, Parameter(help="How many shares; fractions such as 0.5 are fine.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Details(Remote):
    """What may be said about an order, and how to speak with the desk."""

    strategy: Annotated[str | None, Parameter(help="The strategy that the trade belongs to.")] = (
        None
    )
    note: Annotated[str | None, Parameter(help="A remark that is kept with the trade.")] = None
    key: Annotated[
        str | None,
        Parameter(help="The idempotency key: the same key is booked once. Default: a new one."),
    ] = None


_PLAIN: Final = Details()


def buy(ticker: Ticker, number: Quantity, /, *, details: Details = _PLAIN) -> None:
    """Buy shares at the current price."""
    _trade("buy", ticker, number, details)


def sell(ticker: Ticker, number: Quantity, /, *, details: Details = _PLAIN) -> None:
    """Sell shares at the current price."""
    _trade("sell", ticker, number, details)


def _trade(side: str, ticker: str, number: str, details: Details) -> None:
    body = {
        "ticker": ticker,
        "side": side,
        "quantity": number,
        "strategy": details.strategy,
        "note": details.note,
    }
    with Desk(details) as desk:
        # One key for all attempts: asking again after a lost answer cannot trade twice.
        key = new_id() if details.key is None else details.key
        answer = desk.post("/api/portfolio/trade", body, key=key)
        if details.json:
            show_json(answer.text)
            return
        booked = answer.read(Booked)
    trade = booked.trade
    verb = "Bought" if trade.side == "buy" else "Sold"
    line = Text(f"{verb} {quantity(trade.quantity)} {clean(trade.ticker)} at {price(trade.price)}")
    line.append(f" for {money(trade.value)}")
    if trade.fee:
        line.append(f", fee {money(trade.fee)}")
    if trade.side == "sell":
        line.append(", realised ").append_text(signed(trade.realized_pnl))
    line.append(". (Booked before, with the same key.)" if answer.replayed else ".")
    say(line)
    say(f"Cash {money(booked.cash_balance)}, total {money(booked.total_value)}.")
