"""Robinhood: the account activity report.

It has days and no times, so rows that are equal are fills of their own. Amounts in brackets went
out. A quantity that ends in S went out, too: `12S`. The last row is a disclaimer.
"""

from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.model import ActivityKind, Instrument
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_KINDS: Final = {
    "BUY": ActivityKind.buy,
    "SELL": ActivityKind.sell,
    **dict.fromkeys(("CDIV", "MDIV", "LCAP", "SCAP", "ROC"), ActivityKind.dividend),
    **dict.fromkeys(("INT", "SLIP", "MINT", "GDBP"), ActivityKind.interest),
    **dict.fromkeys(("AFEE", "DFEE", "GOLD", "MFEE"), ActivityKind.fee),
    **dict.fromkeys(("DTAX", "NRAT"), ActivityKind.tax),
    "CIL": ActivityKind.cash_in_lieu,
    "SPL": ActivityKind.stock_split,
    "SPR": ActivityKind.stock_split,
}
_MOVED: Final = frozenset({"ACH", "RTP", "WIRE", "ITRF", "DCF", "XENT", "XENT_CC", "JNLC"})
_SHARES: Final = frozenset({"ACATI", "ACATO", "JNLS"})
_OPTIONS: Final = frozenset({"BTO", "BTC", "STO", "STC", "OEXP", "OASGN", "OEXCS", "OCA"})


def _read(row: Row) -> Said | Skip:
    code = row.text("code").upper()
    if code in _OPTIONS:
        return not_held(Instrument.option)
    text = row.text("quantity")
    quantity = None
    if text:
        out = text[-1:] in {"S", "s"}
        quantity = row.number_of(text[:-1] if out else text, "quantity")
        quantity = -quantity if out and quantity else quantity
    net = row.number("net")
    if code in _MOVED and net is not None:
        kind = ActivityKind.deposit if net >= 0 else ActivityKind.withdrawal
    elif code in _SHARES and quantity:
        kind = ActivityKind.transfer_in if quantity > 0 else ActivityKind.transfer_out
    elif code in _KINDS:
        kind = _KINDS[code]
    else:
        raise not_imported(code, "code")
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker"),
        quantity,
        row.number("price"),
        net=net,
        account=row.text("account"),
        note=row.text("note"),
    )


ROBINHOOD: Final = Format(
    name="robinhood",
    title="Robinhood, account activity (CSV)",
    needs=frozenset(
        {"activitydate", "instrument", "description", "transcode", "quantity", "price", "amount"}
    ),
    columns={
        "at": ("activitydate",),
        "ticker": ("instrument",),
        "code": ("transcode",),
        "quantity": ("quantity",),
        "price": ("price",),
        "net": ("amount",),
        "note": ("description",),
        "account": ("account", "accounttype"),
    },
    read=_read,
    decimal=".",
    date_order="month_first",
)
