"""Alpaca: `GET /v2/account/activities`, as a list or an object a line.

Each partial fill is an activity with an id of its own. A split is a pair of rows, one that removes
the old shares and one that adds the new; both say from which quantity to which.
"""

import re
from decimal import Decimal
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import instrument_of
from paperdesk.imports.model import ActivityKind, Code, Instrument, Unreadable
from paperdesk.imports.numbers import ratio_of
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_SIDES: Final = {
    "buy": ActivityKind.buy,
    "sell": ActivityKind.sell,
    "sell_short": ActivityKind.sell,
    "buy_to_cover": ActivityKind.buy,
}
_CASH: Final = {
    **dict.fromkeys(("DIV", "DIVCGL", "DIVCGS", "DIVROC", "DIVTXEX"), ActivityKind.dividend),
    **dict.fromkeys(("INT", "INTPNL", "SWP"), ActivityKind.interest),
    **dict.fromkeys(
        ("DIVFT", "DIVNRA", "DIVTW", "DIVWH", "INTNRA", "INTTW", "WH"), ActivityKind.tax
    ),
    **dict.fromkeys(("FEE", "DIVFEE", "PTC", "PTR"), ActivityKind.fee),
    "CIL": ActivityKind.cash_in_lieu,
    "SC": ActivityKind.cash_in_lieu,
}
_MOVED: Final = frozenset({"CSD", "CSW", "TRANS", "JNL", "JNLC", "ACATC"})
_SHARES: Final = frozenset({"JNLS", "ACATS"})
_SPLITS: Final = frozenset({"SPLIT", "SSP"})
_OPTIONS: Final = frozenset({"OPASN", "OPEXP", "OPXRC", "OPTRD", "OPEXC", "OPCSH", "OPCA"})
_CRYPTO: Final = frozenset({"CFEE"})
_FROM_TO: Final = re.compile(r"from qty: ?-?([0-9.]+), to qty: ?-?([0-9.]+)", re.IGNORECASE)


def _read(row: Row) -> Said | Skip:
    code = row.text("code").upper()
    if code in _OPTIONS:
        return not_held(Instrument.option)
    if code in _CRYPTO:
        return not_held(Instrument.crypto)
    if row.text("status").lower() in {"canceled", "cancelled"}:
        return Skip(Code.CANCELLED, "was cancelled")
    quantity, net = row.number("quantity"), row.number("net")
    if code in _SPLITS and quantity and quantity < 0:
        return Skip(Code.NO_EFFECT, "removes the shares before a split; another row adds the new")
    kind = _kind(row, code, quantity, net)
    instrument = instrument_of(row.text("instrument"))
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker") if instrument is not Instrument.crypto else "",
        quantity,
        row.number("price") if code == "FILL" else row.number("per_share"),
        row.cost("fee") if code == "FILL" else Decimal(0),
        net=net,
        ratio=_ratio(row) if kind is ActivityKind.stock_split else None,
        currency=row.text("currency") or None,
        external_id=row.text("external_id"),
        account=row.text("account"),
        note=row.text("note"),
        instrument=instrument,
    )


def _kind(row: Row, code: str, quantity: Decimal | None, net: Decimal | None) -> ActivityKind:
    if code == "FILL":
        side = row.text("side").lower()
        if side not in _SIDES:
            reason = f"{side[:32]!r} is neither buy nor sell" if side else "is missing"
            raise Unreadable(Code.KIND if side else Code.MISSING, reason, "side")
        return _SIDES[side]
    if code in _CASH:
        return _CASH[code]
    if code in _MOVED and net is not None:
        return ActivityKind.deposit if net >= 0 else ActivityKind.withdrawal
    if code in _SHARES and quantity:
        return ActivityKind.transfer_in if quantity > 0 else ActivityKind.transfer_out
    if code in _SPLITS:
        return ActivityKind.stock_split
    raise not_imported(code, "code")


def _ratio(row: Row) -> tuple[int, int]:
    match = _FROM_TO.search(row.text("note"))
    if match is None:
        reason = "does not say from which quantity to which; enter the split as a corporate action"
        raise Unreadable(Code.RATIO, reason, "note")
    return ratio_of(f"{match[2]}:{match[1]}")


ALPACA: Final = Format(
    name="alpaca",
    title="Alpaca, account activities (JSON)",
    needs=frozenset({"activitytype", "id"}),
    columns={
        "code": ("activitytype",),
        "at": ("transactiontime", "date"),
        "side": ("side",),
        "ticker": ("symbol",),
        "quantity": ("qty",),
        "price": ("price",),
        "per_share": ("pershareamount",),
        "net": ("netamount",),
        "fee": ("commission",),
        "currency": ("currency",),
        "external_id": ("id",),
        "account": ("accountid",),
        "note": ("description",),
        "status": ("status",),
        "instrument": ("assetclass",),
    },
    read=_read,
    json=True,
    csv=False,
    decimal=".",
)
