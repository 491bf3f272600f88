"""Words for what happened, and the cash of rows that have no net amount of their own."""

from decimal import Decimal
from functools import lru_cache
from typing import Final

from paperdesk.imports.formats.format import fold
from paperdesk.imports.model import SHARES, TRADES, ActivityKind, Code, Instrument, Unreadable
from paperdesk.ledger.booking import EXACT, money

_KINDS: Final = {
    ActivityKind.buy: "buy b bought purchase marketbuy limitbuy buytocover reinvestment",
    ActivityKind.sell: "sell s sold sale marketsell limitsell sellshort sellsell short",
    ActivityKind.dividend: "dividend div dividends cashdividend distribution",
    ActivityKind.interest: "interest int credit interestearned",
    ActivityKind.fee: "fee fees commission charge",
    ActivityKind.tax: "tax taxes withholding withholdingtax",
    ActivityKind.deposit: "deposit cashdeposit topup contribution",
    ActivityKind.withdrawal: "withdrawal withdraw cashwithdrawal removal",
    ActivityKind.stock_split: "split stocksplit reversesplit",
    ActivityKind.cash_in_lieu: "cashinlieu",
    ActivityKind.transfer_in: "transferin",
    ActivityKind.transfer_out: "transferout",
}
_BY_WORD: Final = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_INSTRUMENTS: Final = {
    Instrument.stock: "stock stocks equity equities usequity stk share shares commonstock adr",
    Instrument.fund: "etf etfs fund funds mutualfund mutualfunds fnd",
    Instrument.option: "option options opt usoption equityandindexoptions fop optionsonfutures",
    Instrument.crypto: "crypto cryptocurrency coin",
    Instrument.bond: "bond bonds fixedincome treasury bill treasurybills",
    Instrument.other: (
        "future futures fut forex fx cash cfd cfds commodity metal metals warrant warrants war"
    ),
}
_INSTRUMENT_BY_WORD: Final = {
    word: instrument for instrument, words in _INSTRUMENTS.items() for word in words.split()
}
_PAID: Final = frozenset({ActivityKind.fee, ActivityKind.tax, ActivityKind.withdrawal})


@lru_cache(1024)
def kind_of(word: str) -> ActivityKind:
    """Return what a word says, in any spelling. Raises Unreadable for no word of ours."""
    kind = _BY_WORD.get(fold(word))
    if kind is None:
        reason = f"{word[:64]!r} is none of {', '.join(ActivityKind)}" if word else "is missing"
        raise Unreadable(Code.KIND if word else Code.MISSING, reason, "kind")
    return kind


@lru_cache(1024)
def instrument_of(word: str) -> Instrument | None:
    """Return what a row is about, None where the word does not tell."""
    return _INSTRUMENT_BY_WORD.get(fold(word)) if word else None


def net_of_cash(
    kind: ActivityKind,
    net: Decimal | None,
    quantity: Decimal | None,
    price: Decimal | None,
    costs: Decimal,
) -> Decimal | None:
    """Return the signed cash of a row whose file may write amounts without signs.

    Of a row about cash alone it is the net amount; else quantity times price less costs; of a fee
    the costs themselves. Shares that come or go without a trade move no cash but what is said.
    """
    if kind in TRADES:
        if net is None:
            return None
        return -abs(net) if kind is ActivityKind.buy else net
    if kind in SHARES:
        return net
    if net is None and quantity and price:
        net = money(EXACT.multiply(quantity, price))
        if kind not in _PAID:
            net -= costs
    if kind in _PAID:
        net = net or costs
        return -abs(net) if net else None
    return net
