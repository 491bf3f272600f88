"""Ghostfolio: the JSON of its export, and the CSV of its import.

Both have the amount of a dividend or of interest as quantity times price. Its dates stand at
midnight UTC, whatever the time was. Assets that it took from CoinGecko are crypto, those made by
hand have no ticker.
"""

from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import kind_of, net_of_cash
from paperdesk.imports.model import TRADES, ActivityKind, Code, Instrument
from paperdesk.imports.rows import ZERO, Row, Said, Skip

_NOT_BOOKED: Final = {
    "liability": "is a liability, which is no cash of the account",
    "item": "is a valuable, which no market prices",
    "valuable": "is a valuable, which no market prices",
}
_CRYPTO: Final = "coingecko"
_BY_HAND: Final = "manual"


def _read(row: Row) -> Said | Skip:
    word = row.text("kind")
    if why := _NOT_BOOKED.get(word.lower()):
        return Skip(Code.NO_EFFECT, why)
    if row.text("draft").lower() == "true":
        return Skip(Code.NO_EFFECT, "is a draft")
    kind = kind_of(word)
    quantity, price, fee = row.number("quantity"), row.number("price"), row.cost("fee")
    source, ticker = row.text("source").lower(), row.text("ticker")
    instrument = Instrument.crypto if source == _CRYPTO else None
    if source == _BY_HAND:
        if kind in TRADES:
            return Skip(Code.INSTRUMENT, "is about an asset made by hand, which no market prices")
        ticker = ""
    trades = kind in TRADES
    return Said(
        kind,
        row.moment("at"),
        "" if kind in {ActivityKind.fee, ActivityKind.interest} else ticker,
        quantity,
        price,
        fee if trades else ZERO,
        net=net_of_cash(kind, None, quantity, price, fee),
        currency=row.text("currency") or None,
        account=row.text("account"),
        note=row.text("note"),
        instrument=instrument,
    )


GHOSTFOLIO_JSON: Final = Format(
    name="ghostfolio_json",
    title="Ghostfolio, export (JSON)",
    needs=frozenset({"symbol", "type", "unitprice", "quantity", "date", "currency", "fee"}),
    columns={
        "at": ("date",),
        "ticker": ("symbol",),
        "kind": ("type",),
        "quantity": ("quantity",),
        "price": ("unitprice",),
        "fee": ("fee",),
        "currency": ("currency",),
        "account": ("accountid",),
        "note": ("comment",),
        "source": ("datasource",),
        "draft": ("isdraft",),
    },
    read=_read,
    json=True,
    csv=False,
    decimal=".",
    midnight_is_date=True,
)

GHOSTFOLIO_CSV: Final = Format(
    name="ghostfolio_csv",
    title="Ghostfolio (CSV)",
    needs=frozenset({"date", "code", "datasource", "currency", "price", "quantity", "action"}),
    columns={
        "at": ("date",),
        "ticker": ("code",),
        "kind": ("action",),
        "quantity": ("quantity",),
        "price": ("price",),
        "fee": ("fee",),
        "currency": ("currency",),
        "account": ("account", "accountid"),
        "note": ("note", "comment"),
        "source": ("datasource",),
        "draft": (),
    },
    read=_read,
    midnight_is_date=True,
)
