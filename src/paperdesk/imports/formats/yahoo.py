"""Yahoo Finance: the export of a portfolio.

Date and Time are those of the quote; what was traded has its Trade Date. Symbols without a quantity
are only watched. Cash has a symbol of its own. Newer files say which rows are sales, in older ones
their quantity is less than 0. No row names its currency: a symbol with the suffix of an exchange
has that of the exchange.
"""

import re
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.model import DOLLARS, TRADES, ActivityKind, Code, Instrument, Unreadable
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_TRADES: Final = {"BUY": ActivityKind.buy, "SELL": ActivityKind.sell}
_CASH_KINDS: Final = {
    "DEPOSIT": ActivityKind.deposit,
    "WITHDRAWAL": ActivityKind.withdrawal,
    "FEE": ActivityKind.fee,
}
_CASH: Final = "$$CASH"
_CURRENCIES: Final = {
    **dict.fromkeys(("DE", "F", "PA", "AS", "BR", "LS", "MI", "MC", "HE", "VI", "IR"), "EUR"),
    **dict.fromkeys(("TO", "V"), "CAD"),
    **dict.fromkeys(("NS", "BO"), "INR"),
    **dict.fromkeys(("KS", "KQ"), "KRW"),
    "AX": "AUD",
    "CO": "DKK",
    "OL": "NOK",
    "SA": "BRL",
    "ST": "SEK",
    "T": "JPY",
}
"""Exchanges that trade in one currency, by what Yahoo puts behind the dot."""
_PAIR: Final = re.compile(r".+-(?:USD|EUR|GBP|CAD|AUD|JPY|BTC)")
_NO_SHARE: Final = re.compile(r"\^.*|.*=[XF]")


def _read(row: Row) -> Said | Skip:
    symbol, word = row.text("ticker").upper(), row.text("kind").upper()
    cash = symbol.startswith(_CASH)
    quantity = row.number("quantity")
    if quantity is None and not word and not cash:
        return Skip(Code.NO_EFFECT, "has no quantity: the symbol is only watched")
    if _PAIR.fullmatch(symbol):
        return not_held(Instrument.crypto)
    if _NO_SHARE.fullmatch(symbol):
        return not_held(Instrument.other)
    kinds = _CASH_KINDS if cash else _TRADES
    kind = kinds.get(word)
    if kind is None and not word and not cash:
        kind = ActivityKind.sell if quantity and quantity < 0 else ActivityKind.buy
    if kind is None:
        raise not_imported(word, "kind")
    if kind is ActivityKind.buy and quantity and quantity < 0:
        reason = "is less than 0, and the row is a purchase"
        raise Unreadable(Code.CONTRADICTION, reason, "quantity")
    moment, note = row.moment("at"), row.text("note")
    if kind not in TRADES:
        net = row.number("net")
        if net and kind is not ActivityKind.deposit:
            net = -abs(net)
        return Said(kind, moment, net=net, note=note)
    return Said(
        kind,
        moment,
        symbol,
        quantity,
        row.number("price"),
        row.cost("fee"),
        currency=_currency(symbol),
        note=note,
    )


def _currency(symbol: str) -> str:
    _, dot, exchange = symbol.rpartition(".")
    if not dot:
        return DOLLARS
    if exchange not in _CURRENCIES:
        reason = f"is on an exchange, .{exchange[:16]}, of which the file has no currency"
        raise Unreadable(Code.CURRENCY, reason, "ticker")
    return _CURRENCIES[exchange]


YAHOO: Final = Format(
    name="yahoo",
    title="Yahoo Finance, portfolio (CSV)",
    needs=frozenset({"symbol", "tradedate", "purchaseprice", "quantity", "commission"}),
    columns={
        "at": ("tradedate",),
        "ticker": ("symbol",),
        "kind": ("transactiontype",),
        "quantity": ("quantity",),
        "net": ("quantity",),
        "price": ("purchaseprice",),
        "fee": ("commission",),
        # From which it follows, so that a row of another currency is told by this column.
        "currency": ("symbol",),
        "note": ("comment",),
    },
    read=_read,
    decimal=".",
)
