"""Plain trades of an import, booked as they are stored: most rows are such.

They go without a model on their way; a trade that anything is unusual about is none of them.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from paperdesk.jobs.history.booking import SOURCE
from paperdesk.jobs.history.names import Names
from paperdesk.jobs.kinds import AlreadyDone, Outcome
from paperdesk.ledger.booking import money, value_of
from paperdesk.ledger.fills import fill_of, parts_of
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.past_fills import enter_past_fill, units_of
from paperdesk.market.tickers import TICKER
from paperdesk.models import Side

ALREADY: Final = "The same row was imported before: it stands in the books."
_ZERO: Final = Decimal(0)
_SIDES: Final = {"buy": Side.buy, "sell": Side.sell}
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
"""A time as `format_utc` writes it."""


class PlainTrade(msgspec.Struct):
    """A trade as a job keeps those of a file: shares, US dollars; `net` is what came, or went.

    `at` is its time as the books write it.
    """

    kind: str
    at: str
    key: str
    ticker: str
    quantity: Decimal
    price: Decimal
    net: Decimal
    fee: Decimal = _ZERO
    taxes: Decimal = _ZERO


_decoder: Final = msgspec.json.Decoder(PlainTrade)


def stored(data: str) -> PlainTrade | None:
    """Return the trade that a row's JSON text says; None where it says anything else.

    The row must have been checked: what the check refuses may be returned here.
    """
    try:
        found = _decoder.decode(data)
    except msgspec.DecodeError:
        return None
    if found.kind not in _SIDES or not TICKER.fullmatch(found.ticker):
        return None
    return found if _MOMENT.fullmatch(found.at) else None


class PlainTrades:
    """Books them, in the books of one batch. With `fund` cash may be deposited for a trade."""

    def __init__(self, account: AccountBook, names: Names, *, fund: bool) -> None:
        self._account = account
        self._names = names
        self._fund = fund

    def book(self, trade: PlainTrade) -> Outcome | None:
        """Book a trade; None, and nothing is changed, where something is unusual about it.

        Raises what `fill_of` raises, and AlreadyDone where it stands in the books.
        """
        quantity, price, account = trade.quantity, trade.price, self._account
        if quantity <= 0 or price <= 0:
            return None
        side = _SIDES[trade.kind]
        value, came = value_of(quantity, price), money(trade.net)
        fee = -came - value if side is Side.buy else value - came
        if fee != trade.fee + trade.taxes or fee < 0:
            return None
        if self._fund and -came > min(account.available_cash, account.cash):
            return None
        if account.rules.short_selling and len(parts_of(account, trade.ticker, side, quantity)) > 1:
            return None
        name = self._names.free(trade.key)
        if name is None:
            raise AlreadyDone(ALREADY)
        at = datetime.fromisoformat(trade.at)
        fill = fill_of(account, trade.ticker, side, quantity, price, fee, at)
        booked = self._names.trade_id(name)
        enter_past_fill(
            account,
            fill,
            trade.ticker,
            side,
            units_of(quantity, price, fee),
            fee,
            at,
            trade_id=booked,
            source=SOURCE,
            moment=trade.at,
        )
        self._names.booked(trade.key)
        return Outcome(-came, {"name": name, "trades": [booked]})
