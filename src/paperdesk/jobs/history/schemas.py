"""What an import is told of its file, and what a row of it says."""

import re
from datetime import datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, Field

from paperdesk.api.codec import AmountIn, Ask, Label, Text
from paperdesk.imports.model import ActivityKind, DateOrder, DecimalMark, ReadOptions

_RATIO: Final = r"^[0-9]{1,9}:[0-9]{1,9}$"
_KEY: Final = r"^[0-9a-f]{64}$"
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError("must be a time zone such as Europe/Berlin") from None
    return name


def _currency(name: str) -> str:
    if not _CURRENCY.fullmatch(name.upper()):
        raise ValueError("must be a currency such as EUR")
    return name.upper()


class ImportOptions(Ask):
    """How a file is to be read, where it does not say so itself, and what is to be done with it."""

    format: Label | None = None
    columns: Annotated[
        dict[Label, Label] | None,
        Field(max_length=64, description='Which column is what: {"at": "Datum", "ticker": "ISIN"}'),
    ] = None
    date_order: DateOrder | None = None
    decimal: DecimalMark | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    zone: Annotated[Label, AfterValidator(_zone)] | None = None
    fund: Annotated[
        bool, Field(description="Deposit what a row lacks in cash, just before it is booked")
    ] = False


class HistoryRow(Ask):
    """Something that happened on an account. Amounts are US dollars, `price` is for one share.

    `net` is the cash that came, or with less than 0 went; where it is left out it follows from the
    rest. `key` tells the row from all others, of this file and of the next.
    """

    kind: ActivityKind
    at: AwareDatetime
    date_only: bool = False
    ticker: Text | None = None
    quantity: AmountIn | None = None
    price: AmountIn | None = None
    fee: AmountIn | None = None
    taxes: AmountIn | None = None
    net: AmountIn | None = None
    ratio: Annotated[str, Field(pattern=_RATIO)] | None = None
    currency: Annotated[Text, Field(max_length=8)] | None = None
    rate: AmountIn | None = None
    external_id: Text | None = None
    account: Text | None = None
    note: Text | None = None
    instrument: Literal["stock", "fund"] | None = None
    key: Annotated[str, Field(pattern=_KEY)] | None = None


def read_options(told: ImportOptions, now: datetime) -> ReadOptions:
    """Return what the reader is told."""
    return ReadOptions(
        now=now,
        format=told.format,
        columns=told.columns or {},
        date_order=told.date_order,
        decimal=told.decimal,
        currency=told.currency,
        zone=None if told.zone is None else ZoneInfo(told.zone),
    )
