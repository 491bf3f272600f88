"""What reading a broker's file gives: activities, and what became of all its other rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from paperdesk.errors import InvalidRequest
from paperdesk.ledger.booking import EXACT, money

NEW_YORK: Final = ZoneInfo("America/New_York")
DOLLARS: Final = "USD"
_NOTHING: Final = Decimal(0)

DateOrder = Literal["day_first", "month_first"]
DecimalMark = Literal[".", ","]
Raw = tuple[str, ...] | Mapping[str, object]
"""A row as it stands in the file: the cells of a line, or the fields of a JSON object."""


class ActivityKind(StrEnum):
    """What happened on an account."""

    buy = "buy"
    sell = "sell"
    dividend = "dividend"
    interest = "interest"
    fee = "fee"
    tax = "tax"
    deposit = "deposit"
    withdrawal = "withdrawal"
    stock_split = "stock_split"
    cash_in_lieu = "cash_in_lieu"
    transfer_in = "transfer_in"
    transfer_out = "transfer_out"


TRADES: Final = frozenset({ActivityKind.buy, ActivityKind.sell})
SHARES: Final = TRADES | {
    ActivityKind.stock_split,
    ActivityKind.transfer_in,
    ActivityKind.transfer_out,
}
"""What changes how many shares are held; everything else is about cash alone."""


class Instrument(StrEnum):
    """What a row is about, where the file says so. The desk holds stocks and funds."""

    stock = "stock"
    fund = "fund"
    option = "option"
    crypto = "crypto"
    bond = "bond"
    other = "other"


HELD: Final = frozenset({Instrument.stock, Instrument.fund})


class Code(StrEnum):
    """Why a row is no activity. Stable: programs may act on them."""

    DATE = "DATE"
    DATE_ORDER = "DATE_ORDER"
    FUTURE = "FUTURE"
    NUMBER = "NUMBER"
    DECIMAL_MARK = "DECIMAL_MARK"
    TOO_LARGE = "TOO_LARGE"
    MISSING = "MISSING"
    CONTRADICTION = "CONTRADICTION"
    KIND = "KIND"
    TICKER = "TICKER"
    RATIO = "RATIO"
    CURRENCY = "CURRENCY"
    TEXT = "TEXT"
    UNSUPPORTED = "UNSUPPORTED"
    ENCODING = "ENCODING"
    CELLS = "CELLS"
    QUOTES = "QUOTES"
    ROW_TOO_LONG = "ROW_TOO_LONG"
    JSON = "JSON"

    PREAMBLE = "PREAMBLE"
    HEADER_AGAIN = "HEADER_AGAIN"
    FOOTER = "FOOTER"
    SUBTOTAL = "SUBTOTAL"
    INSTRUMENT = "INSTRUMENT"
    CANCELLED = "CANCELLED"
    SWEEP = "SWEEP"
    NO_EFFECT = "NO_EFFECT"


class Activity(NamedTuple):
    """Something that happened on an account, in the desk's terms.

    `quantity` is in shares and more than 0, but for a split: there it is by how many shares the
    holding changed, where the file does not give the `ratio` (new shares, old shares). `price` is
    for one share. `net_amount` is the cash that came (more than 0) or went, None where only shares
    moved. Amounts are in US dollars, or in the currency that the options chose; `currency` is what
    the file had, and `rate` what it was multiplied by.
    """

    line: int
    """The first physical line of the row, from 1."""
    key: str
    """64 hexadecimal digits that tell the row from all others, in this file and in the next."""
    kind: ActivityKind
    at: datetime
    """When it happened, aware, in UTC."""
    date_only: bool
    """The file gave a day: `at` is its close, 16:00 in New York, or now where that is earlier."""
    ticker: str | None
    quantity: Decimal | None
    price: Decimal | None
    fee: Decimal
    taxes: Decimal
    net_amount: Decimal | None
    ratio: tuple[int, int] | None
    currency: str
    rate: Decimal | None
    external_id: str | None
    account: str | None
    note: str | None
    instrument: Instrument | None
    raw: Raw

    @property
    def difference(self) -> Decimal:
        """The net amount less what quantity, price, fee and taxes come to; 0 where not all are."""
        net, quantity, price = self.net_amount, self.quantity, self.price
        if self.kind not in TRADES or net is None or quantity is None or price is None:
            return _NOTHING
        return net - net_of(self.kind, quantity, price, self.fee + self.taxes)


def net_of(kind: ActivityKind, quantity: Decimal, price: Decimal, costs: Decimal) -> Decimal:
    """Return the cash that a trade brings, rounded once to 6 places; negative for a purchase."""
    value = EXACT.multiply(quantity, price)
    return money(EXACT.subtract(-value if kind is ActivityKind.buy else value, costs))


class Rejected(NamedTuple):
    """A row that cannot be understood as it stands; `field` is its column, None for the whole."""

    line: int
    field: str | None
    code: Code
    reason: str
    raw: Raw


class Skipped(NamedTuple):
    """A row that is understood, and that the desk has nothing to book for."""

    line: int
    code: Code
    reason: str
    raw: Raw


Outcome = Activity | Rejected | Skipped


class UnreadableFile(InvalidRequest):
    """The file is none that rows can be read from."""

    code = "UNREADABLE_FILE"
    title = "The file cannot be read"


class Question(InvalidRequest):
    """The file can be read in several ways: the option named `option` must be one of `choices`.

    Where `option` is `columns`, there is no list of choices: the file has `columns`, and the option
    says which of them is what.
    """

    code = "QUESTION"
    title = "The file can be read in several ways"

    def __init__(
        self, message: str, option: str, choices: tuple[str, ...], columns: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.option = option
        self.choices = choices
        self.columns = columns


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the reader is told, `now` always. The rest are a person's answers, None where not given.

    `columns` maps fields (`ticker`, `at`, …) to the names of columns of a file that is not known.
    With `currency` the rows of that currency are taken as the desk's money, one for one. `zone` is
    that of times that name none.
    """

    now: datetime
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    date_order: DateOrder | None = None
    decimal: DecimalMark | None = None
    currency: str | None = None
    zone: ZoneInfo | None = None


class Unreadable(ValueError):
    """A value or a row that cannot be understood; `field` is which one, where it is known."""

    def __init__(self, code: Code, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.field = field
