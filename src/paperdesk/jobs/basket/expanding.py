"""The rows that a command means on an account as it is. Pure.

Sales come first, so that they bring the cash for purchases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from paperdesk.db.types import EXACT
from paperdesk.errors import InvalidRequest
from paperdesk.jobs.basket.command import (
    WHOLE,
    CloseCommand,
    Command,
    EqualCommand,
    Measure,
    RebalanceCommand,
    TradeCommand,
    Universe,
    What,
)
from paperdesk.models import Side

CUSHION: Final = Decimal("0.995")
"""Of the cash there will be, what a rebalancing spends at most: prices move, and trades cost."""
_SHARE: Final = Decimal("0.000000001")
_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal(0)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Situation:
    """An account as a command finds it: cash that may be spent, shares (negative: sold short)."""

    watchlist: Sequence[str]
    positions: Mapping[str, Decimal]
    cash: Decimal
    prices: Mapping[str, Decimal]


def tickers_to_price(command: Command, watchlist: Sequence[str], held: Sequence[str]) -> list[str]:
    """Return the tickers whose prices a command needs to be expanded."""
    match command:
        case RebalanceCommand(weights):
            return sorted({*held, *weights})
        case EqualCommand(what):
            named = watchlist if what is Universe.watchlist else what
            return sorted({*held, *(() if isinstance(named, Universe) else named)})
        case _:
            return []


def expand(command: Command, situation: Situation) -> list[Row]:
    """Return the rows. Raises InvalidRequest where there is nothing to be traded."""
    match command:
        case TradeCommand():
            rows = _trades(command, situation)
        case CloseCommand(what):
            rows = [_closing(ticker, situation) for ticker in _held(what, situation)]
        case RebalanceCommand(weights):
            rows = _rebalanced(weights, situation)
        case EqualCommand(what):
            tickers = _named(what, situation)
            each = EXACT.divide(WHOLE, Decimal(len(tickers)))
            rows = _rebalanced(dict.fromkeys(tickers, each), situation)
    if not rows:
        raise InvalidRequest("original_command: there is nothing to be traded for that.")
    return rows


def _trades(command: TradeCommand, situation: Situation) -> list[Row]:
    if command.measure is not Measure.percent:
        size = "quantity" if command.measure is Measure.shares else "notional"
        return [
            _row(ticker, command.side, **{size: command.amount})
            for ticker in _named(command.what, situation)
        ]
    rows: list[Row] = []
    for ticker in _held(command.what, situation):
        held = situation.positions[ticker]
        if held <= 0:
            continue
        part = EXACT.divide(EXACT.multiply(held, command.amount), WHOLE)
        shares = held if command.amount == WHOLE else part.quantize(_SHARE, ROUND_DOWN, EXACT)
        if shares:
            rows.append(_row(ticker, Side.sell, quantity=shares))
    return rows


def _closing(ticker: str, situation: Situation) -> Row:
    held = situation.positions[ticker]
    return _row(ticker, Side.sell if held > 0 else Side.buy, quantity=abs(held))


def _rebalanced(weights: Mapping[str, Decimal], situation: Situation) -> list[Row]:
    worth = {
        ticker: EXACT.multiply(held, situation.prices[ticker])
        for ticker, held in situation.positions.items()
    }
    equity = situation.cash + sum(worth.values(), _ZERO)
    sales: list[Row] = []
    wanted: dict[str, Decimal] = {}
    cash = situation.cash
    for ticker in sorted({*worth, *weights}):
        held = situation.positions.get(ticker, _ZERO)
        weight = weights.get(ticker, _ZERO)
        target = EXACT.divide(EXACT.multiply(equity, weight), WHOLE)
        more = target - worth.get(ticker, _ZERO)
        if not weight and held:
            sales.append(_closing(ticker, situation))
            cash += worth[ticker]
        elif more < 0:
            shares = EXACT.divide(-more, situation.prices[ticker])
            if shares := shares.quantize(_SHARE, ROUND_DOWN, EXACT):
                sales.append(_row(ticker, Side.sell, quantity=shares))
                cash -= more
        elif more > 0:
            wanted[ticker] = more
    spent = sum(wanted.values(), _ZERO)
    most = EXACT.multiply(max(_ZERO, cash), CUSHION)
    share = Decimal(1) if spent <= most else EXACT.divide(most, spent)
    purchases = [
        _row(ticker, Side.buy, notional=dollars)
        for ticker, more in wanted.items()
        if (dollars := EXACT.multiply(more, share).quantize(_CENT, ROUND_DOWN, EXACT))
    ]
    return sales + purchases


def _named(what: What, situation: Situation) -> Sequence[str]:
    """Return the tickers that are meant. Raises InvalidRequest where there are none."""
    match what:
        case Universe.watchlist:
            tickers: Sequence[str] = situation.watchlist
        case Universe.positions:
            tickers = sorted(situation.positions)
        case _:
            return what
    if not tickers:
        raise InvalidRequest(f"original_command: there is nothing in your {what}.")
    return tickers


def _held(what: What, situation: Situation) -> list[str]:
    """Return those of the tickers meant that are held. Raises InvalidRequest for one that is not.

    Of a list, such as the watchlist, the others are left out.
    """
    named = _named(what, situation)
    if not isinstance(what, Universe):
        for ticker in named:
            if ticker not in situation.positions:
                raise InvalidRequest(f"original_command: you hold no {ticker}.")
    return [ticker for ticker in named if ticker in situation.positions]


def _row(ticker: str, side: Side, **size: Decimal) -> Row:
    amounts = {name: f"{amount.normalize():f}" for name, amount in size.items()}
    return {"ticker": ticker, "side": side.value, **amounts}
