"""What Interactive Brokers' Flex queries and statements have in common."""

import re
from decimal import Decimal
from typing import Final

from paperdesk.imports.formats.words import instrument_of
from paperdesk.imports.model import ActivityKind, Code, Instrument, Unreadable
from paperdesk.imports.rows import Row

CASH_KINDS: Final = {
    "dividends": ActivityKind.dividend,
    "paymentinlieuofdividends": ActivityKind.dividend,
    "withholdingtax": ActivityKind.tax,
    "871mwithholding": ActivityKind.tax,
    "brokerinterestpaid": ActivityKind.interest,
    "brokerinterestreceived": ActivityKind.interest,
    "interest": ActivityKind.interest,
    "brokerfees": ActivityKind.fee,
    "otherfees": ActivityKind.fee,
    "advisorfees": ActivityKind.fee,
    "fees": ActivityKind.fee,
    "commissionadjustments": ActivityKind.fee,
}
MOVED: Final = frozenset({"depositswithdrawals", "depositsandwithdrawals"})

_OF_A_SHARE: Final = frozenset({ActivityKind.dividend, ActivityKind.tax})
_SYMBOL_AND_ISIN: Final = re.compile(r"([A-Z0-9. ]{1,12}?) ?\([A-Z]{2}[A-Z0-9]{9}[0-9]\)")
_PER_SHARE: Final = re.compile(r"\b([0-9]{1,9}(?:\.[0-9]{1,12})?) per share", re.IGNORECASE)


def asset_of(row: Row, name: str) -> Instrument | None:
    """Return what a row is about, None where it does not say. Raises Unreadable for no known."""
    text = row.text(name)
    # `Stocks - Held with …` names the company of the group, too.
    instrument = instrument_of(text.partition(" - ")[0])
    if text and instrument is None:
        raise Unreadable(Code.UNSUPPORTED, f"{text[:64]!r} is no known class of assets", name)
    return instrument


def ticker_of_cash(kind: ActivityKind, description: str) -> str:
    """Return the ticker before the ISIN that a dividend or its tax begins with, empty for none."""
    match = _SYMBOL_AND_ISIN.match(description) if kind in _OF_A_SHARE else None
    return match[1] if match else ""


def per_share(kind: ActivityKind, row: Row, description: str) -> Decimal | None:
    """Return the amount for each share, which only the description of a dividend has."""
    match = _PER_SHARE.search(description) if kind is ActivityKind.dividend else None
    return row.number_of(match[1], "note") if match else None
