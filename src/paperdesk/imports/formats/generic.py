"""Any table whose columns say what they are, or are said by the person who has it."""

from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import instrument_of, kind_of, net_of_cash
from paperdesk.imports.model import TRADES, ActivityKind, Code, Unreadable
from paperdesk.imports.numbers import ratio_of
from paperdesk.imports.rows import ZERO, Row, Said

_COLUMNS: Final = {
    "at": (
        *("executedat", "date", "datetime", "tradedate", "timestamp", "tradetime"),
        *("transactiondate", "activitydate", "time"),
    ),
    "time": ("time", "tradetime"),
    "ticker": ("ticker", "symbol", "code", "instrument"),
    "kind": ("side", "action", "kind", "buysell", "type", "activitytype", "transactiontype"),
    "quantity": ("quantity", "qty", "shares", "units"),
    "price": ("price", "tradeprice", "unitprice", "pricepershare", "executionprice", "value"),
    "fee": ("fee", "fees", "commission", "ibcommission", "feescomm"),
    "taxes": ("taxes", "tax", "withholdingtax"),
    "net": ("netamount", "netcash", "net", "amount", "total", "totalamount"),
    "ratio": ("ratio", "splitratio"),
    "currency": ("currency", "ccy", "currencyprimary"),
    "rate": ("fxrate", "exchangerate"),
    "account": ("account", "accountid", "accountname", "accountnumber"),
    "note": ("note", "notes", "comment", "description"),
    "external_id": ("externalid", "id", "tradeid", "transactionid"),
    "instrument": ("instrumenttype", "assetclass", "assettype", "securitytype", "assetcategory"),
}


def _read(row: Row) -> Said:
    # All at once, and numbers only where there are any: this is the format of the largest files.
    day, clock, ticker, word, _, _, fee_text, tax_text, net_text, *others = row.cells
    ratio, currency, rate_text, account, note, external_id, instrument = others
    quantity, price = row.number("quantity"), row.number("price")
    fee = row.cost("fee") if fee_text else ZERO
    taxes = row.cost("taxes") if tax_text else ZERO
    net = row.number("net") if net_text else None
    if clock and clock != day:
        day = f"{day} {clock}"
    if word or not quantity:
        kind = kind_of(word)
    else:
        kind = ActivityKind.buy if quantity > 0 else ActivityKind.sell
    if kind is ActivityKind.buy and quantity and quantity < 0:
        reason = "is less than 0, and the row is a purchase"
        raise Unreadable(Code.CONTRADICTION, reason, "quantity")
    if net is not None or kind not in TRADES:
        net = net_of_cash(kind, net, quantity, price, fee + taxes)
    if kind not in TRADES:
        fee = taxes = ZERO
    return Said(
        kind,
        row.moment("at", day),
        ticker,
        quantity,
        price,
        fee,
        taxes,
        net,
        ratio_of(ratio) if ratio and kind is ActivityKind.stock_split else None,
        currency or None,
        row.number("rate") if rate_text else None,
        external_id,
        account,
        note,
        instrument_of(instrument) if instrument else None,
    )


GENERIC: Final = Format(
    name="generic",
    title="A table with a header",
    needs_fields=frozenset({"at", "ticker", "quantity"}),
    columns=_COLUMNS,
    read=_read,
    json=True,
)
