"""Interactive Brokers: Flex queries of trades and of cash transactions.

The user chooses the columns. `NetCash` is what a trade moved; the commission is less than 0, and
more than 0 where it was a rebate. Besides the executions a query may give the orders they add up
to and the lots they closed, and besides each payment the sums of payments. The ticker of a payment
and its amount for each share may stand in the description alone.
"""

import re
from typing import Final

from paperdesk.imports.formats.format import Format, fold
from paperdesk.imports.formats.ibkr import CASH_KINDS, MOVED, asset_of, per_share, ticker_of_cash
from paperdesk.imports.model import HELD, ActivityKind, Code, Instrument, Unreadable, net_of
from paperdesk.imports.rows import ZERO, Row, Said, Skip, not_held, not_imported

_SIDES: Final = {"buy": ActivityKind.buy, "sell": ActivityKind.sell}
_CANCELS: Final = re.compile(r"(?:buy|sell) ?\(ca\.?\)", re.IGNORECASE)
_EXECUTION: Final = frozenset({"", "execution"})
_LEVELS: Final = {
    "order": "is an order, the sum of its executions; let the query give executions",
    "closedlot": "is a lot that a sale closed, not a trade",
    "symbolsummary": "is the sum of the trades of a symbol",
    "assetsummary": "is the sum of the trades of a class of assets",
    "washsale": "is a note on wash sales, not a trade",
}
_BONDS: Final = frozenset({"bondinterestpaid", "bondinterestreceived"})


def _read_trade(row: Row) -> Said | Skip:
    level = fold(row.text("level"))
    if level in _LEVELS:
        return Skip(Code.SUBTOTAL, _LEVELS[level])
    if level not in _EXECUTION:
        reason = f"{row.text('level')[:32]!r} is no known level of detail"
        raise Unreadable(Code.UNSUPPORTED, reason, "level")
    instrument = asset_of(row, "instrument")
    if instrument is not None and instrument not in HELD:
        return not_held(instrument)
    kind = _side(row)
    if not row.text("ticker") and row.text("isin"):
        raise Unreadable(Code.TICKER, "is no ticker; add Symbol to the Flex query", "isin")
    quantity, price, commission = row.number("quantity"), row.number("price"), row.number("fee")
    if quantity and (quantity > 0) != (kind is ActivityKind.buy):
        raise Unreadable(Code.CONTRADICTION, f"has another sign than a {kind}", "quantity")
    currency, other = row.text("currency"), row.text("fee_currency")
    if commission and other and currency and other != currency:
        reason = f"is {other}, and the trade in {currency}"
        raise Unreadable(Code.CURRENCY, reason, "fee_currency")
    taxes, net = row.cost("taxes"), row.number("net")
    if net is None and quantity and price is not None and commission is not None:
        net = net_of(kind, abs(quantity), price, taxes - commission)
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker"),
        quantity,
        price,
        -commission if commission and commission < 0 else ZERO,
        taxes,
        net,
        currency=currency or None,
        external_id=row.text("external_id") or row.text("trade_id"),
        account=row.text("account"),
        note=row.text("note"),
        instrument=instrument,
    )


def _side(row: Row) -> ActivityKind:
    text = row.text("side")
    if _CANCELS.fullmatch(text):
        reason = "cancels a trade; take both out of the file"
        raise Unreadable(Code.UNSUPPORTED, reason, "side")
    kind = _SIDES.get(text.lower())
    if kind is None:
        reason = f"{text[:32]!r} is neither BUY nor SELL" if text else "is missing"
        raise Unreadable(Code.UNSUPPORTED if text else Code.MISSING, reason, "side")
    return kind


def _read_cash(row: Row) -> Said | Skip:
    if fold(row.text("level")) == "summary":
        return Skip(Code.SUBTOTAL, "is the sum of other rows")
    word, net = row.text("kind"), row.number("net")
    code = fold(word)
    if code in _BONDS:
        return not_held(Instrument.bond)
    instrument = asset_of(row, "instrument")
    if instrument is not None and instrument not in HELD:
        return not_held(instrument)
    kind = CASH_KINDS.get(code)
    if code in MOVED and net is not None:
        kind = ActivityKind.deposit if net >= 0 else ActivityKind.withdrawal
    if kind is None:
        raise not_imported(word, "kind", "enter it as cash")
    note = row.text("note")
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker") or ticker_of_cash(kind, note),
        price=per_share(kind, row, note),
        net=net,
        currency=row.text("currency") or None,
        external_id=row.text("external_id"),
        account=row.text("account"),
        note=note,
        instrument=instrument,
    )


IBKR_FLEX_TRADES: Final = Format(
    name="ibkr_flex_trades",
    title="Interactive Brokers, Flex query of trades (CSV)",
    needs=frozenset({"buysell", "quantity", "tradeprice", "currencyprimary", "ibcommission"}),
    needs_fields=frozenset({"at"}),
    columns={
        "at": ("datetime", "tradedate"),
        "side": ("buysell",),
        "ticker": ("symbol",),
        "isin": ("isin",),
        "quantity": ("quantity",),
        "price": ("tradeprice",),
        "fee": ("ibcommission",),
        "fee_currency": ("ibcommissioncurrency",),
        "taxes": ("taxes",),
        "net": ("netcash",),
        "currency": ("currencyprimary",),
        "level": ("levelofdetail",),
        "instrument": ("assetclass",),
        "external_id": ("ibexecid",),
        "trade_id": ("tradeid",),
        "account": ("clientaccountid",),
        "note": ("description",),
    },
    read=_read_trade,
    decimal=".",
)

IBKR_FLEX_CASH: Final = Format(
    name="ibkr_flex_cash",
    title="Interactive Brokers, Flex query of cash transactions (CSV)",
    needs=frozenset({"type", "description", "amount", "currencyprimary"}),
    needs_fields=frozenset({"at"}),
    columns={
        "at": ("datetime", "settledate"),
        "kind": ("type",),
        "ticker": ("symbol",),
        "net": ("amount",),
        "currency": ("currencyprimary",),
        "level": ("levelofdetail",),
        "instrument": ("assetclass",),
        "external_id": ("transactionid",),
        "account": ("clientaccountid",),
        "note": ("description",),
    },
    read=_read_cash,
    decimal=".",
)
