"""The desk's own terms: rows that the books refused, as `paperdesk import --rejects` writes them.

Each has the key that it had in the broker's file. So whatever is corrected in it, it is the same
row, and is not booked again when that file is imported again.
"""

import re
from dataclasses import replace
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import instrument_of, kind_of
from paperdesk.imports.model import Code, Unreadable
from paperdesk.imports.numbers import ratio_of
from paperdesk.imports.rows import Row, Said

_KEY: Final = re.compile(r"[0-9a-f]{64}")


def _read(row: Row) -> Said:
    key, ratio = row.text("key"), row.text("ratio")
    if key and not _KEY.fullmatch(key):
        raise Unreadable(Code.TEXT, "must be as it was written, or empty for a row of yours", "key")
    moment = row.moment("at")
    if row.text("date_only").lower() == "true":
        moment = moment._replace(date_only=True)
    said = Said(kind_of(row.text("kind")), moment, row.text("ticker"), row.number("quantity"))
    return replace(
        said,
        price=row.number("price"),
        fee=row.number("fee") or said.fee,
        taxes=row.number("taxes") or said.taxes,
        net=row.number("net"),
        ratio=ratio_of(ratio) if ratio else None,
        external_id=row.text("external_id"),
        account=row.text("account"),
        note=row.text("note"),
        instrument=instrument_of(row.text("instrument")),
        key=key,
    )


PAPERDESK: Final = Format(
    name="paperdesk",
    title="Paperdesk, rows that the books refused (CSV)",
    needs=frozenset({"kind", "at", "key"}),
    columns={
        "kind": ("kind",),
        "at": ("at",),
        "date_only": ("dateonly",),
        "ticker": ("ticker",),
        "quantity": ("quantity",),
        "price": ("price",),
        "fee": ("fee",),
        "taxes": ("taxes",),
        "net": ("net",),
        "ratio": ("ratio",),
        "account": ("account",),
        "external_id": ("externalid",),
        "note": ("note",),
        "instrument": ("instrument",),
        "key": ("key",),
    },
    read=_read,
    decimal=".",
)
