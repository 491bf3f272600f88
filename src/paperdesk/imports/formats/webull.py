"""Webull: the records of orders.

An order is a trade of what was filled of it, at its average price: `Price` is the limit. An order
of an option strategy has no symbol, its legs follow as rows of their own. Commissions and fees are
not in the file, nor is cash. An order that is still being filled would be another row when it is
done, so it is not taken.
"""

from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import fold
from paperdesk.imports.model import DOLLARS, ActivityKind, Code, Instrument
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_SIDES: Final = {
    "buy": ActivityKind.buy,
    "sell": ActivityKind.sell,
    "short": ActivityKind.sell,
}
_FILLED: Final = "filled"
_ENDED: Final = frozenset({"cancelled", "canceled", "expired"})
"""What was filled of such an order before it ended is a trade."""
_FAILED: Final = frozenset({"failed", "rejected"})
_OPEN: Final = frozenset({"pending", "working", "submitted", "partialfilled", "partiallyfilled"})


def _read(row: Row) -> Said | Skip:
    if not row.text("ticker") and row.text("name"):
        return not_held(Instrument.option)
    word, quantity = row.text("status"), row.number("quantity")
    status = fold(word)
    if not quantity and status in _ENDED | _FAILED:
        return Skip(Code.CANCELLED, f"is an order that ended {word.lower()}, unfilled")
    if not quantity and status in _OPEN:
        return Skip(Code.NO_EFFECT, "is an order of which nothing is filled")
    if status != _FILLED and status not in _ENDED:
        raise not_imported(word, "status", "export the file when the order is done")
    side = row.text("kind")
    kind = _SIDES.get(side.lower())
    if kind is None:
        raise not_imported(side, "kind", "it must be Buy or Sell")
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker"),
        quantity,
        row.number("price"),
        currency=DOLLARS,
        note=row.text("name"),
    )


WEBULL: Final = Format(
    name="webull",
    title="Webull, records of orders (CSV)",
    needs=frozenset({"symbol", "side", "status", "filled", "totalqty", "avgprice", "filledtime"}),
    columns={
        "at": ("filledtime",),
        "ticker": ("symbol",),
        "name": ("name",),
        "kind": ("side",),
        "status": ("status",),
        "quantity": ("filled",),
        "price": ("avgprice",),
    },
    read=_read,
    decimal=".",
    date_order="month_first",
)
