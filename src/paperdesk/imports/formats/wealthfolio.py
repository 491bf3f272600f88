"""Wealthfolio: the activities that it imports, and that other programs write for it.

Rows about cash have it in the amount, quantity and price of them are fillers (1 and 1); older files
without an amount have quantity times price. The amount of a trade may have the fees in it or not:
it is read as whichever is nearer to quantity times price. What unit the rate of a row is of, the
files do not agree.
"""

from decimal import Decimal
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import fold, instrument_of
from paperdesk.imports.model import HELD, SHARES, TRADES, ActivityKind, Code, Unreadable
from paperdesk.imports.numbers import ratio_of
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported
from paperdesk.ledger.booking import EXACT, money

_KINDS: Final = {
    "buy": ActivityKind.buy,
    "sell": ActivityKind.sell,
    "dividend": ActivityKind.dividend,
    "interest": ActivityKind.interest,
    "deposit": ActivityKind.deposit,
    "withdrawal": ActivityKind.withdrawal,
    "fee": ActivityKind.fee,
    "tax": ActivityKind.tax,
    "split": ActivityKind.stock_split,
    "transferin": ActivityKind.transfer_in,
    "transferout": ActivityKind.transfer_out,
    "addholding": ActivityKind.transfer_in,
    "removeholding": ActivityKind.transfer_out,
}
_CREDITS: Final = {
    "bonus": ActivityKind.deposit,
    "feerefund": ActivityKind.fee,
    "refund": ActivityKind.fee,
    "rebate": ActivityKind.fee,
    "tradingrebate": ActivityKind.fee,
    "taxrefund": ActivityKind.tax,
}
_TWO_IN_ONE: Final = frozenset({"drip", "dividendinkind", "stakingreward"})
_CASH: Final = "$CASH"
_MOVED: Final = frozenset({ActivityKind.deposit, ActivityKind.withdrawal})
_CHARGES: Final = frozenset({ActivityKind.fee, ActivityKind.tax})


def _read(row: Row) -> Said | Skip:
    instrument = instrument_of(row.text("instrument"))
    if instrument is not None and instrument not in HELD:
        return not_held(instrument)
    ticker = row.text("ticker")
    if ticker.upper().startswith(_CASH):
        ticker = ""
    kind, credit = _kind(row, cash=not ticker)
    quantity, price = row.number("quantity"), row.number("price")
    fee, taxes = row.cost("fee"), row.cost("taxes")
    said = Said(
        kind,
        row.moment("at"),
        ticker,
        currency=row.text("currency") or None,
        account=row.text("account"),
        note=row.text("note"),
        instrument=instrument,
    )
    if kind is ActivityKind.stock_split:
        said.ratio = _ratio(row)
    elif kind in SHARES:
        said.quantity, said.price = quantity, price or None
        if kind in TRADES:
            said.fee, said.taxes = fee, taxes
            said.net = _of_trade(kind, row.number("net"), quantity, price, fee + taxes)
    else:
        if kind in _MOVED:
            said.ticker = ""
        if taxes and kind is not ActivityKind.tax:
            reason = "may be part of the amount or not; write it as an activity of its own, TAX"
            raise Unreadable(Code.UNSUPPORTED, reason, "taxes")
        said.net = _of_cash(row, kind, fee, taxes, credit=credit)
    return said


def _kind(row: Row, *, cash: bool) -> tuple[ActivityKind, bool]:
    """Return what happened, and whether it is a credit: cash that came of what else costs."""
    word, subtype = row.text("kind"), fold(row.text("subtype"))
    folded = fold(word)
    if folded == "credit" and subtype in _CREDITS:
        return _CREDITS[subtype], True
    kind = _KINDS.get(folded)
    if kind is None or subtype in _TWO_IN_ONE:
        said = " ".join(filter(None, (word, row.text("subtype"))))
        raise not_imported(said, "kind", "enter it as the activities that it stands for")
    if cash and kind is ActivityKind.transfer_in:
        kind = ActivityKind.deposit
    elif cash and kind is ActivityKind.transfer_out:
        kind = ActivityKind.withdrawal
    return kind, False


def _ratio(row: Row) -> tuple[int, int] | None:
    """Return the ratio of a split, which stands where others have the amount."""
    text = row.text("ratio")
    number = None if ":" in text else row.number("ratio")
    text = text if number is None else f"{number:f}"
    try:
        return ratio_of(text) if text else None
    except Unreadable as error:
        error.field = "ratio"
        raise


def _of_trade(
    kind: ActivityKind,
    amount: Decimal | None,
    quantity: Decimal | None,
    price: Decimal | None,
    costs: Decimal,
) -> Decimal | None:
    """Return the signed cash of a trade, None where it follows from quantity and price."""
    if not amount:
        return None
    amount = abs(amount)
    costs = costs if kind is ActivityKind.buy else -costs
    if costs:
        if not (quantity and price):
            reason = "is missing: without it the amount may have the fees in it or not"
            raise Unreadable(Code.MISSING, reason, "quantity" if price else "price")
        gross = abs(EXACT.multiply(quantity, price))
        if abs(amount - gross) < abs(amount - gross - costs):
            amount += costs
    return -amount if kind is ActivityKind.buy else amount


def _of_cash(
    row: Row, kind: ActivityKind, fee: Decimal, taxes: Decimal, *, credit: bool
) -> Decimal | None:
    """Return the signed cash of a row about cash alone, None where it has none."""
    amount = row.number("net")
    charged = fee or taxes
    if kind in _CHARGES and not credit and charged:
        if amount and abs(amount) != charged:
            raise Unreadable(Code.CONTRADICTION, f"of {amount} contradicts {charged}", "net")
        return -charged
    if amount is None:
        quantity, price = row.number("quantity"), row.number("price")
        if quantity and price and (quantity, price) != (1, 1):
            amount = money(EXACT.multiply(quantity, price))
    if amount is None:
        return None
    if kind is ActivityKind.withdrawal or (kind in _CHARGES and not credit):
        return -abs(amount) - fee
    return amount - fee


WEALTHFOLIO: Final = Format(
    name="wealthfolio",
    title="Wealthfolio, activities (CSV)",
    needs=frozenset({"date", "symbol", "quantity", "activitytype", "unitprice", "currency"}),
    columns={
        "at": ("date",),
        "ticker": ("symbol",),
        "instrument": ("instrumenttype",),
        "quantity": ("quantity",),
        "kind": ("activitytype",),
        "price": ("unitprice",),
        "currency": ("currency",),
        "fee": ("fee",),
        "taxes": ("tax", "taxes"),
        "net": ("amount",),
        "ratio": ("amount",),
        "subtype": ("subtype",),
        "note": ("comment", "notes"),
        "account": ("account",),
    },
    read=_read,
    midnight_is_date=True,
)
