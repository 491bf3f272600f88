"""Interactive Brokers: the activity statement, as CSV.

Sections, each row of which begins with the name of its section. Trades have a header for each
class of assets. Of orders and the trades that they were filled with the orders are booked, which
stand before them; a statement without orders has its trades booked. The account is named once, or
in a column of its own where the statement is of several.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from paperdesk.imports.formats.format import Format, fold
from paperdesk.imports.formats.ibkr import CASH_KINDS, MOVED, asset_of, per_share, ticker_of_cash
from paperdesk.imports.model import HELD, ActivityKind, Code, Instrument, Unreadable
from paperdesk.imports.numbers import ratio_of
from paperdesk.imports.rows import ZERO, Row, Said, Skip, not_held, not_imported

_TELL_ONLY: Final = frozenset(
    {
        *("statement", "accountinformation", "netassetvalue", "changeinnav", "cashreport"),
        *("marktomarketperformancesummary", "realizedunrealizedperformancesummary"),
        *("monthyeartodateperformancesummary", "openpositions", "forexbalances"),
        *("forexpldetails", "netstockpositionsummary", "financialinstrumentinformation", "codes"),
        *("positionsandmarktomarketprofitandloss", "noteslegalnotes", "interestaccruals"),
        *("changeindividendaccruals", "opendividendaccruals", "commissiondetails"),
        *("tradesummarybysymbol", "tradesummarybyassetclass"),
    }
)
_ORDER: Final = "order"
_FILLS: Final = frozenset({"trade", "execution"})
_BONDS: Final = frozenset({"bondinterestpaid", "bondinterestreceived"})
_SPLIT: Final = re.compile(r"([A-Z0-9. ]{1,12}?) ?\([A-Z0-9]+\) Split ([0-9.]+) for ([0-9.]+)\b")


def _read(row: Row) -> Said | Skip:
    part = row.text("part")
    if part in {"Total", "SubTotal"} or _is_total(row):
        return Skip(Code.SUBTOTAL, "is a total")
    if part == "Notes":
        return Skip(Code.FOOTER, "is a note")
    if part != "Data":
        raise Unreadable(Code.UNSUPPORTED, f"{part[:32]!r} is no known part of a section", "part")
    return _data(row, fold(row.text("section")))


def _data(row: Row, section: str) -> Said | Skip:
    if section == "accountinformation" and row.text("field_name") == "Account":
        row.memory["account"] = row.text("field_value")
    if section in _TELL_ONLY:
        return Skip(Code.NO_EFFECT, "tells about the account, and is nothing to book")
    if section in _BONDS:
        return not_held(Instrument.bond)
    if section in CASH_KINDS or section in MOVED:
        return _cash(row, section)
    if section not in _READERS:
        raise not_imported(row.text("section"), "section", "enter what it moved by hand")
    return _READERS[section](row)


def _is_total(row: Row) -> bool:
    """Say whether a row of data is a sum, which sections of cash have in their first column."""
    names = ("currency", "instrument", "kind")
    return any(row.text(name).startswith("Total") for name in names)


def _trade(row: Row) -> Said | Skip:
    level = fold(row.text("level"))
    if level == "closedlot":
        return Skip(Code.SUBTOTAL, "is a lot that a sale closed, not a trade")
    if level == _ORDER:
        row.memory["orders"] = level
    elif level not in _FILLS:
        reason = f"{row.text('level')[:32]!r} is neither an order nor a trade"
        raise Unreadable(Code.UNSUPPORTED, reason, "level")
    elif "orders" in row.memory:
        return Skip(Code.SUBTOTAL, "is a part of an order, which is booked")
    instrument = asset_of(row, "instrument")
    if instrument is not None and instrument not in HELD:
        return not_held(instrument)
    quantity, proceeds = row.number("quantity"), row.number("proceeds")
    commission = row.number("fee") or ZERO
    if not quantity:
        raise Unreadable(Code.MISSING, "is missing", "quantity")
    return replace(
        _said(row, ActivityKind.buy if quantity > 0 else ActivityKind.sell),
        ticker=row.text("ticker"),
        quantity=quantity,
        price=row.number("price"),
        fee=-commission if commission < 0 else ZERO,
        net=None if proceeds is None else proceeds + commission,
        instrument=instrument,
    )


def _cash(row: Row, section: str) -> Said:
    net, note = row.number("net"), row.text("note")
    kind = CASH_KINDS.get(section)
    if kind is None:
        kind = ActivityKind.deposit if net is None or net >= 0 else ActivityKind.withdrawal
    ticker = row.text("ticker") or ticker_of_cash(kind, note)
    return replace(_said(row, kind), ticker=ticker, price=per_share(kind, row, note), net=net)


def _transfer(row: Row) -> Said | Skip:
    if row.text("instrument") == "Cash":
        net = row.number("cash")
        kind = ActivityKind.deposit if net is None or net >= 0 else ActivityKind.withdrawal
        return replace(_said(row, kind), net=net)
    instrument = asset_of(row, "instrument")
    if instrument is not None and instrument not in HELD:
        return not_held(instrument)
    quantity = row.number("quantity")
    kind = ActivityKind.transfer_out if quantity and quantity < 0 else ActivityKind.transfer_in
    ticker = row.text("ticker")
    return replace(_said(row, kind), ticker=ticker, quantity=quantity, instrument=instrument)


def _corporate_action(row: Row) -> Said:
    note, quantity = row.text("note"), row.number("quantity")
    match = _SPLIT.match(note)
    # A reverse split may be one row or a pair, which cannot be told from one of them.
    if match is None or not quantity or quantity < 0:
        raise not_imported(note, "note", "enter it as a corporate action")
    ratio = ratio_of(f"{match[2]}:{match[3]}")
    if ratio[0] < ratio[1]:
        reason = "is a reverse split; enter it as a corporate action"
        raise Unreadable(Code.UNSUPPORTED, reason, "note")
    return replace(_said(row, ActivityKind.stock_split), ticker=match[1], ratio=ratio)


_READERS: Final[Mapping[str, Callable[[Row], Said | Skip]]] = {
    "trades": _trade,
    "transfers": _transfer,
    "corporateactions": _corporate_action,
}


def _said(row: Row, kind: ActivityKind) -> Said:
    """Return what all rows have in common."""
    return Said(
        kind,
        row.moment("at"),
        currency=row.text("currency") or None,
        account=row.text("account") or row.memory.get("account", ""),
        note=row.text("note"),
    )


IBKR_ACTIVITY: Final = Format(
    name="ibkr_activity",
    title="Interactive Brokers, activity statement (CSV)",
    needs=frozenset({"statement", "header", "fieldname", "fieldvalue"}),
    columns={
        "section": (),
        "part": (),
        "at": ("datetime", "date", "settledate"),
        "level": ("datadiscriminator",),
        "instrument": ("assetcategory",),
        "ticker": ("symbol",),
        "quantity": ("quantity", "qty"),
        "price": ("tprice",),
        "proceeds": ("proceeds",),
        "fee": ("commfee",),
        "net": ("amount",),
        "cash": ("cashamount",),
        "currency": ("currency",),
        "account": ("account",),
        "kind": ("subtitle",),
        "note": ("description",),
        "field_name": ("fieldname",),
        "field_value": ("fieldvalue",),
    },
    read=_read,
    sections=True,
    decimal=".",
    date_order="month_first",
)
