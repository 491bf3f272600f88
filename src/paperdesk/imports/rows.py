"""One row of a file under the names that its format gives to the columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from paperdesk.imports.dates import Dates, Moment
from paperdesk.imports.model import ActivityKind, Code, Instrument, Raw, Unreadable
from paperdesk.imports.numbers import Numbers

NUMERIC: Final = frozenset({"quantity", "price", "fee", "fees", "taxes", "net", "rate"})
"""Fields that hold numbers, from which the decimal mark of a file is found."""

ZERO: Final = Decimal(0)


@dataclass(slots=True)
class Sheet:
    """What the rows of one file have in common.

    `places` says where among the cells of a row a field stands, `names` what the file calls it.
    `memory` is what a format keeps of a row for those after it.
    """

    places: Mapping[str, int]
    names: Mapping[str, str]
    numbers: Numbers
    dates: Dates
    memory: dict[str, str] = field(default_factory=dict[str, str])


class Row:
    """A row: its `cells` in the order of the format's fields, empty where the file has none.

    `raw` is what stood in the file, `currency` what its numbers named.
    """

    __slots__ = ("_sheet", "cells", "currency", "line", "raw")

    def __init__(self, line: int, cells: Sequence[str], raw: Raw, sheet: Sheet) -> None:
        self.line = line
        self.raw = raw
        self.currency: str | None = None
        self.cells = cells
        self._sheet = sheet

    @property
    def memory(self) -> dict[str, str]:
        """What a format keeps of a row for those after it, of this file alone."""
        return self._sheet.memory

    def column(self, name: str | None) -> str | None:
        """Return what the file calls a field, the field where it has no name of its own."""
        return self._sheet.names.get(name or "", name)

    def text(self, name: str) -> str:
        """Return what stands in a field, empty where nothing does."""
        return self.cells[self._sheet.places[name]]

    def number(self, name: str) -> Decimal | None:
        """Return the number in a field, None where nothing stands there.

        Raises Unreadable, also where the row names two currencies.
        """
        text = self.cells[self._sheet.places[name]]
        return self.number_of(text, name) if text else None

    def number_of(self, text: str, name: str) -> Decimal | None:
        """Return the number that a text of a field says, None for a dash. Raises Unreadable."""
        try:
            value, currency = self._sheet.numbers.read(text)
        except Unreadable as error:
            error.field = name
            raise
        if currency is not None:
            if self.currency not in {None, currency}:
                reason = f"is in {currency}, and another amount in {self.currency}"
                raise Unreadable(Code.CURRENCY, reason, name)
            self.currency = currency
        return value

    def cost(self, name: str) -> Decimal:
        """Return fees or taxes, which brokers write with and without a minus; 0 for none."""
        return abs(self.number(name) or ZERO)

    def moment(self, name: str, text: str | None = None) -> Moment:
        """Return the date or time in a field, or in another text of it. Raises Unreadable."""
        text = self.text(name) if text is None else text
        if not text:
            raise Unreadable(Code.MISSING, "is missing", name)
        try:
            return self._sheet.dates.read(text)
        except Unreadable as error:
            error.field = name
            raise


class Skip(NamedTuple):
    """What a format says of a row that the desk has nothing to book for."""

    code: Code
    reason: str


_NOT_HELD: Final = {
    Instrument.option: "an option",
    Instrument.crypto: "crypto",
    Instrument.bond: "a bond",
    Instrument.other: "what is neither stock nor fund",
}


def not_held(instrument: Instrument) -> Skip:
    """Return what is said of a row about something that the desk cannot hold."""
    what = _NOT_HELD[instrument]
    return Skip(Code.INSTRUMENT, f"is about {what}; the desk holds stocks and funds")


_LONGEST_WORD: Final = 64
_BY_HAND: Final = "enter it as a corporate action or as cash"


def not_imported(word: str, field: str, what_to_do: str = _BY_HAND) -> Unreadable:
    """Return the error of a broker's word that stands for nothing the desk books, or is missing."""
    if not word:
        return Unreadable(Code.MISSING, "is missing", field)
    shown = f"{word[:_LONGEST_WORD]!r}"
    return Unreadable(Code.UNSUPPORTED, f"{shown} is not imported; {what_to_do}", field)


@dataclass(slots=True)
class Said:
    """What a format understood of a row, in the currency of the row, not yet checked.

    Fees and taxes are costs, more than 0. `net` is signed: cash that came, or went.
    """

    kind: ActivityKind
    moment: Moment
    ticker: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal = ZERO
    taxes: Decimal = ZERO
    net: Decimal | None = None
    ratio: tuple[int, int] | None = None
    currency: str | None = None
    rate: Decimal | None = None
    """US dollars for one unit of the currency, where the row itself has it."""
    external_id: str = ""
    account: str = ""
    note: str = ""
    instrument: Instrument | None = None
    key: str = ""
    """The key of the row, where the file has it; else it follows from what the row says."""
