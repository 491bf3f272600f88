"""Fidelity: the history of an account, or of all accounts.

What happened is the beginning of a sentence. Blank lines and a BOM stand before the header, legal
text behind the last row. Newer files have a header that names Quantity, Currency and Price where
the rows hold currency, price and quantity. The core fund is the cash of the account: what moves
between the two is left out.
"""

import re
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.model import ActivityKind, Code, Instrument
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_BEGINNINGS: Final = (
    ("you bought", ActivityKind.buy),
    ("reinvestment", ActivityKind.buy),
    ("you sold", ActivityKind.sell),
    ("in lieu of", ActivityKind.cash_in_lieu),
    ("dividend received", ActivityKind.dividend),
    ("long-term cap gain", ActivityKind.dividend),
    ("short-term cap gain", ActivityKind.dividend),
    ("return of capital", ActivityKind.dividend),
    ("interest", ActivityKind.interest),
    ("margin interest", ActivityKind.interest),
    ("foreign tax paid", ActivityKind.tax),
    ("non-resident tax", ActivityKind.tax),
    ("foreign tax", ActivityKind.tax),
    ("fee charged", ActivityKind.fee),
    ("advisory fee", ActivityKind.fee),
    ("asset management fee", ActivityKind.fee),
)
_MOVED: Final = (
    *("electronic funds transfer", "direct de", "wire transfer", "check", "cash contribution"),
    *("debit card", "bill payment", "transferred", "contrib", "co contr", "partic contr", "cash"),
    *("journaled", "transfer of assets", "adjust", "deposit", "withdrawal", "normal distr"),
)
_SHARES: Final = ("transferred", "journaled", "transfer of assets")
_OPTIONS: Final = ("expired", "assigned", "exercised", "opening transaction")
_SWEEPS: Final = ("redemption from core", "purchase into core")
_CORE: Final = frozenset({"SPAXX", "FDRXX", "FZFXX", "FCASH"})
_CLASSES: Final = {"BRKA": "BRK.A", "BRKB": "BRK.B", "BFA": "BF.A", "BFB": "BF.B"}
"""Classes of shares, which Fidelity writes without what others have between them."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_AS_OF: Final = re.compile(r"\bas of ([a-z]{3}-\d{1,2}-\d{4}|\d{2}-\d{2}-\d{2})\b", re.IGNORECASE)


def _read(row: Row) -> Said | Skip:
    action, ticker = row.text("action"), row.text("ticker")
    said = action.lower()
    if ticker.startswith("-") or said.startswith(_OPTIONS) or " transaction " in f" {said} ":
        return not_held(Instrument.option)
    kind = next((kind for words, kind in _BEGINNINGS if said.startswith(words)), None)
    trade = kind in {ActivityKind.buy, ActivityKind.sell}
    if said.startswith(_SWEEPS) or (trade and ticker in _CORE):
        return Skip(Code.SWEEP, "moves cash into the core fund or out of it, and stays cash")
    currency, price, quantity = row.text("currency"), "price", "quantity"
    if _CURRENCY.fullmatch(row.text("quantity")):
        # The header of newer files names these three in another order than the rows have them.
        currency, price, quantity = row.text("quantity"), "currency", "price"
    shares, net = row.number(quantity), row.number("net")
    if kind is None and said.startswith(_SHARES) and shares and ticker:
        kind = ActivityKind.transfer_in if shares > 0 else ActivityKind.transfer_out
    elif kind is None and said.startswith("distribution") and shares and ticker:
        kind = ActivityKind.stock_split
    elif kind is None and said.startswith(_MOVED) and net:
        kind, ticker = ActivityKind.deposit if net > 0 else ActivityKind.withdrawal, ""
    if kind is None:
        raise not_imported(action, "action")
    as_of = _AS_OF.search(action)
    return Said(
        kind,
        row.moment("at", as_of[1] if as_of else None),
        _CLASSES.get(ticker, ticker),
        shares,
        row.number(price),
        row.cost("fee") + row.cost("fees"),
        net=net,
        currency=currency or None,
        account=row.text("account"),
        note=action,
    )


FIDELITY: Final = Format(
    name="fidelity",
    title="Fidelity, history (CSV)",
    needs=frozenset({"rundate", "action", "symbol", "quantity", "price", "amount"}),
    columns={
        "at": ("rundate",),
        "action": ("action",),
        "ticker": ("symbol",),
        "quantity": ("quantity",),
        "price": ("price",),
        "fee": ("commission",),
        "fees": ("fees",),
        "net": ("amount",),
        "currency": ("currency",),
        "account": ("accountnumber", "account"),
    },
    read=_read,
    decimal=".",
    date_order="month_first",
)
