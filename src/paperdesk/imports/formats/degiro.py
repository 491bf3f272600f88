"""DEGIRO: the transactions, in English, Dutch or German.

Shares have an ISIN and no ticker: a column `Ticker` can be added to the file. Amounts stand in the
currency of the share and in that of the account; the total is what moved. What is between total and
value are the costs, whatever their columns are called. A share of another currency has no price in
that of the account, it follows from the value. The currency of an amount is the cell behind it, in
newer files the name of its column. An order may be filled in several rows, so its id is no key.
What has none is no order: splits stand there as a sale and a purchase.
"""

from decimal import Decimal
from itertools import product
from typing import Final
from zoneinfo import ZoneInfo

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.rates import dollars_for_one
from paperdesk.imports.model import DOLLARS, ActivityKind, Code, Unreadable
from paperdesk.imports.rows import ZERO, Row, Said

_CURRENCIES: Final = ("EUR", "GBP", "USD", "CHF", "CZK", "DKK", "HUF", "NOK", "PLN", "SEK")


def _read(row: Row) -> Said:
    quantity = row.number("quantity")
    net, value = row.number("net"), row.number("value")
    if not row.text("order") and not row.text("order_again") and quantity:
        reason = "is missing: no order, but a split or the like; enter it as a corporate action"
        raise Unreadable(Code.UNSUPPORTED, reason, "order")
    if net is None:
        raise Unreadable(Code.MISSING, "is missing", "net")
    if quantity and quantity > 0 and net > 0:
        raise Unreadable(Code.CONTRADICTION, f"of {net} contradicts a purchase", "net")
    currency, local = _currency(row), row.text("price_currency")
    return Said(
        ActivityKind.sell if quantity and quantity < 0 else ActivityKind.buy,
        row.moment("at", f"{row.text('at')} {row.text('time')}".strip()),
        row.text("ticker"),
        quantity,
        row.number("price") if local == currency else None,
        _costs(value, net),
        net=net,
        currency=currency,
        rate=dollars_for_one(row.number("local"), value, row.number("rate"))
        if local == DOLLARS
        else None,
        note=row.text("name"),
    )


def _currency(row: Row) -> str:
    named = (row.column("net") or "")[-3:].upper()
    currency = named if named in _CURRENCIES else row.text("currency")
    if not currency:
        raise Unreadable(Code.MISSING, "has no currency behind it", "net")
    return currency


def _costs(value: Decimal | None, net: Decimal) -> Decimal:
    return ZERO if value is None else max(ZERO, value - net)


def _amounts(*names: str) -> tuple[str, ...]:
    """Return what columns of amounts are called: with the currency of the account, or without."""
    ends = ("", *(currency.lower() for currency in _CURRENCIES))
    return tuple(f"{name}{end}" for end, name in product(ends, names))


DEGIRO: Final = Format(
    name="degiro",
    title="DEGIRO, transactions (CSV)",
    needs=frozenset({"isin"}),
    needs_fields=frozenset(
        {"at", "time", "name", "quantity", "price", "price_currency", "value", "net", "order"}
    ),
    columns={
        "at": ("date", "datum"),
        "time": ("time", "tijd", "uhrzeit"),
        "name": ("product", "produkt"),
        "ticker": ("ticker", "symbol", "isin"),
        "quantity": ("quantity", "aantal", "anzahl"),
        "price": ("price", "koers", "kurs"),
        "price_currency": ("price+1", "koers+1", "kurs+1"),
        "local": ("localvalue", "lokalewaarde", "wertinlokalwährung", "lokalerwert"),
        "value": _amounts("value", "waarde", "wert"),
        "rate": ("exchangerate", "wisselkoers", "wechselkurs"),
        "net": _amounts("total", "totaal", "gesamt"),
        "currency": ("total+1", "totaal+1", "gesamt+1", *_amounts("total", "totaal", "gesamt")),
        "order": ("orderid",),
        "order_again": ("orderid+1",),
    },
    read=_read,
    date_order="day_first",
    zone=ZoneInfo("Europe/Amsterdam"),
)
