"""Revolut: the account statement of stocks.

Amounts name their currency: `-$30.93`, `USD 12.30`. Fees are part of the total amount and stand
nowhere else. A split says by how many shares the holding changed.
"""

from typing import Final
from zoneinfo import ZoneInfo

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import net_of_cash
from paperdesk.imports.model import ActivityKind
from paperdesk.imports.rows import ZERO, Row, Said, not_imported

_KINDS: Final = {
    **dict.fromkeys(("buy", "buy - market", "buy - limit", "buy - stop"), ActivityKind.buy),
    **dict.fromkeys(("sell", "sell - market", "sell - limit", "sell - stop"), ActivityKind.sell),
    "dividend": ActivityKind.dividend,
    "cash top-up": ActivityKind.deposit,
    "cash withdrawal": ActivityKind.withdrawal,
    "custody fee": ActivityKind.fee,
    "robo management fee": ActivityKind.fee,
    "stock split": ActivityKind.stock_split,
}


def _read(row: Row) -> Said:
    word = row.text("kind")
    kind = _KINDS.get(word.lower())
    if kind is None:
        raise not_imported(word, "kind")
    quantity, price, total = row.number("quantity"), row.number("price"), row.number("net")
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker"),
        quantity,
        price,
        net=net_of_cash(kind, total, None, None, ZERO),
        currency=row.text("currency") or None,
    )


REVOLUT: Final = Format(
    name="revolut",
    title="Revolut, account statement of stocks (CSV)",
    needs=frozenset({"date", "ticker", "type", "quantity", "pricepershare", "totalamount"}),
    columns={
        "at": ("date",),
        "ticker": ("ticker",),
        "kind": ("type",),
        "quantity": ("quantity",),
        "price": ("pricepershare",),
        "net": ("totalamount",),
        "currency": ("currency",),
    },
    read=_read,
    decimal=".",
    zone=ZoneInfo("UTC"),
)
