"""From what a format understood of a row to an activity that the desk can book."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from paperdesk.errors import InvalidRequest
from paperdesk.imports.keys import Keys
from paperdesk.imports.model import (
    DOLLARS,
    HELD,
    SHARES,
    TRADES,
    Activity,
    ActivityKind,
    Code,
    Instrument,
    Unreadable,
    net_of,
)
from paperdesk.imports.numbers import plain
from paperdesk.imports.rows import Row, Said, Skip, not_held
from paperdesk.ledger.booking import EXACT, LARGEST_AMOUNT, money
from paperdesk.market.tickers import parse_ticker

_MINOR_UNITS: Final = {
    "GBX": ("GBP", 100), "GBp": ("GBP", 100), "ZAC": ("ZAR", 100), "ZAc": ("ZAR", 100),
    "ILA": ("ILS", 100),
}  # fmt: skip
"""Currencies in which prices are quoted, and which no cash is kept in."""

_OUT: Final = frozenset({ActivityKind.buy, ActivityKind.withdrawal})
_IN: Final = frozenset({ActivityKind.sell, ActivityKind.deposit})
_OPTION: Final = re.compile(r"-?[A-Z.]{1,6} ?\d{6}[CP]\d{1,8}(\.\d+)?")
_PAIR: Final = re.compile(r"[A-Z0-9]{2,6}/[A-Z]{3,4}")
_SHARE_CLASS: Final = re.compile(r"([A-Z]{1,5})[ /]([A-Z])")
_LONGEST_NOTE: Final = 500
_LONGEST_NAME: Final = 128


class Understanding:
    """Completes the rows of one file. With `currency` that one is the desk's money."""

    def __init__(self, currency: str | None, keys: Keys) -> None:
        self._money = currency or DOLLARS
        self._keys = keys

    def complete(self, row: Row, said: Said) -> Activity | Skip:
        """Return the activity of a row. Raises Unreadable where it is incomplete or impossible."""
        kind = said.kind
        if said.currency is None:
            said.currency = row.currency
        ticker, instrument = _symbol(said.ticker)
        instrument = said.instrument or instrument
        if instrument is not None and instrument not in HELD:
            return not_held(instrument)
        if ticker is None and (said.ticker or kind in SHARES):
            raise _no_ticker(said.ticker)
        if not _is_name(said.account):
            raise _no_name("account")
        if said.external_id and not _is_name(said.external_id):
            raise _no_name("external_id")
        quantity = _quantity(said)
        price, fee, taxes, net = said.price, said.fee, said.taxes, said.net
        told = said.currency
        rate = None if told is None or told == self._money else self._rate(said)
        if rate is not None:
            price = None if price is None else plain(EXACT.multiply(price, rate))
            fee, taxes = _times(fee, rate), _times(taxes, rate)
            net = None if net is None else _times(net, rate)
        if kind in TRADES:
            price, net = _trade(kind, quantity, price, fee + taxes if taxes else fee, net)
        elif kind in SHARES:
            net = net or None
        elif net == 0:
            return Skip(Code.NO_EFFECT, "moves neither shares nor cash")
        # What is within bounds may be beyond them times a rate, or divided by a tiny quantity.
        _check_size(quantity=quantity, price=price, fee=fee, taxes=taxes, net=net)
        _check_net(kind, net, fee + taxes)
        return Activity(
            row.line,
            said.key or self._keys.key_of(said, ticker, None if told == self._money else told),
            kind,
            said.moment.at,
            said.moment.date_only,
            ticker,
            quantity,
            price,
            fee,
            taxes,
            net,
            said.ratio,
            said.currency or self._money,
            rate,
            said.external_id or None,
            said.account or None,
            _note(said.note) if said.note else None,
            said.instrument,
            row.raw,
        )

    def _rate(self, said: Said) -> Decimal | None:
        """Return what the amounts are multiplied by, None where they are the desk's money."""
        told = said.currency or ""
        currency, units = _MINOR_UNITS.get(told) or (told.upper(), 1)
        if currency == self._money:
            return None if units == 1 else EXACT.divide(Decimal(1), units)
        if self._money == DOLLARS and said.rate is not None and said.rate > 0:
            return EXACT.divide(said.rate, units)
        advice = (
            "and the row has no rate. Convert it, or import the file with its currency as the "
            f"desk's money: currency={currency}"
            if self._money == DOLLARS
            else f"and {self._money} was said to be that of the file"
        )
        raise Unreadable(Code.CURRENCY, f"is {told}, {advice}", "currency")


def _trade(
    kind: ActivityKind,
    quantity: Decimal | None,
    price: Decimal | None,
    costs: Decimal,
    net: Decimal | None,
) -> tuple[Decimal, Decimal]:
    """Return price and net amount; either may follow from the other."""
    if quantity is None:
        raise Unreadable(Code.MISSING, "is missing", "quantity")
    if price is None:
        if net is None:
            raise Unreadable(Code.MISSING, "is missing, and so is a net amount", "price")
        value = -net - costs if kind is ActivityKind.buy else net + costs
        price = plain(EXACT.divide(value, quantity))
    if price <= 0:
        raise Unreadable(Code.CONTRADICTION, "must be more than 0", "price")
    return price, net_of(kind, quantity, price, costs) if net is None else net


def _quantity(said: Said) -> Decimal | None:
    """Return the shares, without a sign but for a split."""
    quantity = said.quantity
    if said.kind is ActivityKind.stock_split:
        if said.ratio is None and not quantity:
            raise Unreadable(Code.RATIO, "is not given, nor by how many shares", "ratio")
        return None if said.ratio else quantity
    if said.kind not in SHARES:
        return abs(quantity) if quantity else None
    if not quantity:
        reason = "is missing" if quantity is None else "must be more than 0"
        raise Unreadable(Code.MISSING, reason, "quantity")
    return quantity if quantity > 0 else -quantity


def _times(amount: Decimal, rate: Decimal) -> Decimal:
    return plain(money(EXACT.multiply(amount, rate)))


@lru_cache(8192)
def _symbol(text: str) -> tuple[str | None, Instrument | None]:
    """Return the ticker that a symbol is, if it is one, and what else it tells by its form."""
    symbol = text.upper()
    if _OPTION.fullmatch(symbol):
        return None, Instrument.option
    if match := _SHARE_CLASS.fullmatch(symbol):
        symbol = f"{match[1]}.{match[2]}"
    if _PAIR.fullmatch(symbol):
        return None, Instrument.crypto
    try:
        return parse_ticker(symbol), None
    except InvalidRequest:
        return None, None


def _no_ticker(text: str) -> Unreadable:
    if not text:
        return Unreadable(Code.MISSING, "is missing", "ticker")
    return Unreadable(Code.TICKER, f"{text[:64]!r} is no ticker such as AAPL", "ticker")


@lru_cache(1024)
def _is_name(text: str) -> bool:
    """Say whether a text may name an account or a row."""
    return len(text) <= _LONGEST_NAME and text.isprintable()


def _no_name(field: str) -> Unreadable:
    reason = f"must be printable text of at most {_LONGEST_NAME} characters"
    return Unreadable(Code.TEXT, reason, field)


def _check_size(**amounts: Decimal | None) -> None:
    for name, amount in amounts.items():
        if amount is not None and abs(amount) > LARGEST_AMOUNT:
            raise Unreadable(Code.TOO_LARGE, f"of {amount:f} is more than 1000000000", name)


def _check_net(kind: ActivityKind, net: Decimal | None, costs: Decimal) -> None:
    if net is None:
        if kind not in SHARES:
            raise Unreadable(Code.MISSING, "is missing", "net")
    elif (kind in _OUT and net > 0) or (kind in _IN and net < -costs):
        raise Unreadable(Code.CONTRADICTION, f"of {net} contradicts a {kind}", "net")


@lru_cache(4096)
def _note(text: str) -> str | None:
    """Return a note on one line, without what cannot be printed."""
    words = " ".join(text[: 4 * _LONGEST_NOTE].split())
    return "".join(filter(str.isprintable, words))[:_LONGEST_NOTE] or None
