"""Portfolio Performance: what it exports of an account or of a depot, in English or in German.

The value is the net amount. Its sign is no evidence: a purchase is less than 0 in the file of the
account and more than 0 in that of the depot. So the type of the row says whether cash came or went,
and a trade that stands in both files has one key. There is no price, it follows from the value.
"""

from decimal import Decimal
from typing import Final

from paperdesk.imports.dates import Moment
from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.rates import dollars_for_one
from paperdesk.imports.formats.words import fold
from paperdesk.imports.model import DOLLARS, SHARES, TRADES, ActivityKind
from paperdesk.imports.numbers import plain
from paperdesk.imports.rows import ZERO, Row, Said, not_imported
from paperdesk.ledger.booking import EXACT

_IN: Final = {
    ActivityKind.sell: "sell verkauf",
    ActivityKind.dividend: "dividend dividends dividende",
    ActivityKind.interest: "interest zinsen",
    ActivityKind.deposit: "deposit einlage",
    ActivityKind.fee: "feesrefund gebührenerstattung",
    ActivityKind.tax: "taxrefund steuerrückerstattung",
    ActivityKind.transfer_in: "deliveryinbound einlieferung",
}
_OUT: Final = {
    ActivityKind.buy: "buy kauf",
    ActivityKind.interest: "interestcharge zinsbelastung",
    ActivityKind.withdrawal: "removal entnahme",
    ActivityKind.fee: "fees gebühren",
    ActivityKind.tax: "taxes steuern",
    ActivityKind.transfer_out: "deliveryoutbound auslieferung",
}
_TYPES: Final = {
    word: (kind, comes)
    for comes, kinds in ((True, _IN), (False, _OUT))
    for kind, words in kinds.items()
    for word in words.split()
}
"""What happened, and whether cash or shares came; the names are those of both languages."""
_MOVED: Final = {
    "transferinbound": True,
    "umbuchungeingang": True,
    "transferoutbound": False,
    "umbuchungausgang": False,
}
"""Between two accounts, or between two depots."""
_ABOUT_A_SECURITY: Final = SHARES | {ActivityKind.dividend}
_PAID_FOR: Final = frozenset({ActivityKind.buy, ActivityKind.transfer_in})
"""Of which fees and taxes are part of the value; from that of all others they are taken."""


def _read(row: Row) -> Said:
    quantity, value = row.number("quantity"), row.number("net")
    kind, comes = _kind(row, moves_shares=bool(quantity))
    trade = kind in TRADES
    fee, taxes = row.cost("fee"), row.cost("taxes")
    costs = fee + taxes
    shares_alone = kind in SHARES and not trade
    amount = None if value is None else abs(value)
    ticker = row.text("ticker")
    if not ticker and kind in _ABOUT_A_SECURITY:
        ticker = row.text("isin")
    return Said(
        kind,
        _moment(row),
        ticker,
        quantity,
        # A delivery moves no cash: its value is what the shares are worth.
        plain(EXACT.divide(amount, abs(quantity)))
        if shares_alone and amount and quantity
        else None,
        fee if trade else ZERO,
        taxes if trade else ZERO,
        None if shares_alone or amount is None else amount if comes else -amount,
        currency=row.text("currency") or None,
        rate=_rate(row, amount, costs if kind in _PAID_FOR else -costs),
        account=row.text("account") or row.text("depot"),
        note=row.text("note") or row.text("name"),
    )


def _kind(row: Row, *, moves_shares: bool) -> tuple[ActivityKind, bool]:
    word = row.text("kind")
    folded = fold(word)
    if folded in _TYPES:
        return _TYPES[folded]
    comes = _MOVED.get(folded)
    if comes is None:
        raise not_imported(word, "kind")
    if moves_shares:
        return (ActivityKind.transfer_in if comes else ActivityKind.transfer_out), comes
    return (ActivityKind.deposit if comes else ActivityKind.withdrawal), comes


def _moment(row: Row) -> Moment:
    day, clock = row.text("at"), row.text("time")
    return row.moment("at", f"{day} {clock}" if day and clock else day)


def _rate(row: Row, amount: Decimal | None, costs: Decimal) -> Decimal | None:
    """Return US dollars for one unit of the row's currency, where its gross amount is in dollars.

    The gross amount is that without `costs`, which may be less than 0.
    """
    if amount is None or row.text("gross_currency").upper() != DOLLARS:
        return None
    return dollars_for_one(row.number("gross"), amount - costs, row.number("rate"))


PORTFOLIO_PERFORMANCE: Final = Format(
    name="portfolio_performance",
    title="Portfolio Performance, transactions (CSV)",
    needs=frozenset({"isin", "wkn"}),
    needs_fields=frozenset({"at", "kind", "net", "currency", "quantity", "ticker", "name"}),
    columns={
        "at": ("date", "datum"),
        "time": ("time", "uhrzeit"),
        "kind": ("type", "typ"),
        "net": ("value", "wert"),
        "currency": ("transactioncurrency", "buchungswährung"),
        "gross": ("grossamount", "bruttobetrag"),
        "gross_currency": ("currencygrossamount", "währungbruttobetrag"),
        "rate": ("exchangerate", "wechselkurs"),
        "fee": ("fees", "gebühren"),
        "taxes": ("taxes", "steuern"),
        "quantity": ("shares", "stück"),
        "isin": ("isin",),
        "ticker": ("tickersymbol",),
        "name": ("securityname", "wertpapiername"),
        "note": ("note", "notiz"),
        "account": ("cashaccount", "konto"),
        "depot": ("securitiesaccount", "depot"),
    },
    read=_read,
)
