"""Trading 212: the history of an account.

The total is what moved, in the currency of the account; prices are in that of the share, pence
among them. The total of a dividend is what was left after the tax. Times are in UTC.
"""

from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import net_of_cash
from paperdesk.imports.model import DOLLARS, TRADES, ActivityKind, Code, Unreadable
from paperdesk.imports.rows import ZERO, Row, Said, not_imported

_KINDS: Final = {
    **{f"{order} buy": ActivityKind.buy for order in ("market", "limit", "stop", "stop limit")},
    **{f"{order} sell": ActivityKind.sell for order in ("market", "limit", "stop", "stop limit")},
    "interest on cash": ActivityKind.interest,
    "lending interest": ActivityKind.interest,
    "deposit": ActivityKind.deposit,
    "withdrawal": ActivityKind.withdrawal,
}
_DIVIDEND: Final = "dividend ("
_COSTS: Final = ("fee", "stamp_duty", "transaction_fee", "finra_fee", "french_tax")
_NEAR: Final = Decimal("0.02")


def _read(row: Row) -> Said:
    word = row.text("kind")
    dividend = word.lower().startswith(_DIVIDEND)
    kind = ActivityKind.dividend if dividend else _KINDS.get(word.lower())
    if kind is None:
        raise not_imported(word, "kind")
    quantity, price, total = row.number("quantity"), row.number("price"), row.number("net")
    currency, quoted = row.text("currency"), row.text("price_currency")
    trade = kind in TRADES
    rate = row.number("rate") if trade and quoted == DOLLARS != currency else None
    if rate and not _goes_with(rate, quantity, price, total):
        rate = None
    return Said(
        kind,
        row.moment("at"),
        row.text("ticker"),
        quantity,
        # A price in another currency follows from the total.
        price if quoted == currency else None,
        sum((_cost(row, name, currency) for name in _COSTS), ZERO) if trade else ZERO,
        net=net_of_cash(kind, total, None, None, ZERO),
        currency=currency or None,
        rate=rate,
        external_id=row.text("external_id"),
        note=row.text("note"),
    )


def _cost(row: Row, name: str, currency: str) -> Decimal:
    cost, own = row.cost(name), row.text(f"{name}_currency")
    if cost and own and own != currency:
        raise Unreadable(Code.CURRENCY, f"is in {own}, and the total in {currency}", name)
    return cost


def _goes_with(
    rate: Decimal, quantity: Decimal | None, price: Decimal | None, total: Decimal | None
) -> bool:
    """Say whether a rate is of dollars for one unit: it may also stand the other way round."""
    value = (quantity or ZERO) * (price or ZERO)
    paid = abs(total or ZERO) * rate
    return abs(value - paid) <= _NEAR * value


TRADING212: Final = Format(
    name="trading212",
    title="Trading 212, history (CSV)",
    needs=frozenset({"action", "ticker", "noofshares", "priceshare", "total", "currencytotal"}),
    needs_fields=frozenset({"at"}),
    columns={
        "at": ("time", "timeutc"),
        "kind": ("action",),
        "ticker": ("ticker",),
        "quantity": ("noofshares",),
        "price": ("priceshare",),
        "price_currency": ("currencypriceshare",),
        "rate": ("exchangerate",),
        "net": ("total",),
        "currency": ("currencytotal",),
        "fee": ("currencyconversionfee",),
        "fee_currency": ("currencycurrencyconversionfee",),
        "stamp_duty": ("stampdutyreservetax",),
        "stamp_duty_currency": ("currencystampdutyreservetax",),
        "transaction_fee": ("transactionfee",),
        "transaction_fee_currency": ("currencytransactionfee",),
        "finra_fee": ("finrafee",),
        "finra_fee_currency": ("currencyfinrafee",),
        "french_tax": ("frenchtransactiontax",),
        "french_tax_currency": ("currencyfrenchtransactiontax",),
        "external_id": ("id",),
        "note": ("name",),
    },
    read=_read,
    decimal=".",
    zone=ZoneInfo("UTC"),
)
