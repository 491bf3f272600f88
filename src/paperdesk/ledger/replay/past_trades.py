"""Rows of a file of trades: each becomes a trade, or a sentence that says why it cannot.

A trade's id follows from what the row says, so a row that was booked is found again by its primary
key, however often the file is replayed. Rows of one file that say the same are counted: each of
them is a trade of its own.

A rejected row is corrected in another file, where it can neither be counted nor be known by what it
says. It takes its id there with it, in the column `identity`.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from paperdesk.db.types import EXACT, MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, format_utc
from paperdesk.errors import InvalidRequest
from paperdesk.ids import id_of, uuid_of
from paperdesk.ledger import booking
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import Side

REQUIRED: Final = ("ticker", "side", "quantity", "price", "executed_at")
IDENTITY: Final = "identity"
COLUMNS: Final = (*REQUIRED, "fee", "account", "strategy", "id", IDENTITY)
"""What a row may say, in the order in which `RowReader.read` takes it."""

_AMOUNT: Final = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIDES: Final = {text: side for side in Side for text in (side.value, side.value.upper())}
_NO_FEE: Final = Decimal(0)
_LONGEST_ACCOUNT: Final = 36
_LONGEST_TEXT: Final = 128
_48_BITS: Final = (1 << 48) - 1


class PastTrade(NamedTuple):
    """A trade to be booked as it happened: shares, US dollars, an aware time.

    `units` are its quantity, price and fee in their smallest units, `moment` is its time as text.
    """

    line: int
    account: str
    id: str
    ticker: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    executed_at: datetime
    strategy: str | None
    units: tuple[int, int, int]
    moment: str


class BadRow(NamedTuple):
    """A row that cannot be booked, and why; `field` is None where no single one is wrong."""

    line: int
    field: str | None
    reason: str


class RowReader:
    """Reads the rows of one file, in their order.

    `account` is that of rows that name none. Under another `batch` name the same row is another
    trade. No row may be of a time after `now`.
    """

    def __init__(self, account: str, batch: str, now: datetime) -> None:
        self._account = account
        self._batch = batch
        self._now = now
        self._tickers: dict[str, str] = {}
        self._seen: set[int] = set()
        self._repeats: dict[int, int] = {}
        self._identities: set[str] = set()

    def read(self, line: int, cells: Sequence[str]) -> PastTrade | BadRow:
        """Return the trade of a row; `cells` are the texts of `COLUMNS`, empty where not said."""
        field = ""
        try:
            field = "ticker"
            ticker = self._tickers.get(cells[0]) or self._ticker(cells[0])
            field = "side"
            side = _side(cells[1])
            field = "quantity"
            quantity, quantity_units = _amount(cells[2], QUANTITY_SCALE)
            field = "price"
            price, price_units = _amount(cells[3], PRICE_SCALE)
            field = "executed_at"
            executed_at = self._time(cells[4])
            field = "fee"
            fee, fee_units = _amount(cells[5], MONEY_SCALE, 0) if cells[5] else (_NO_FEE, 0)
            field = "account"
            account = _text(cells[6], _LONGEST_ACCOUNT) if cells[6] else self._account
            field = "strategy"
            strategy = _text(cells[7], _LONGEST_TEXT) if cells[7] else None
            field = "id"
            own_id = _text(cells[8], _LONGEST_TEXT) if cells[8] else ""
            field = IDENTITY
            identity = self._identity(cells[9]) if cells[9] and not own_id else ""
        except ValueError as error:
            return BadRow(line, field, str(error))
        moment = format_utc(executed_at)
        if own_id:
            trade_id = id_of(f"{account}\0{own_id}")
        elif identity:
            trade_id = identity
        else:
            said = (
                f"{account}\0{self._batch}\0{ticker}\0{side}\0{quantity_units}\0{price_units}\0"
                f"{fee_units}\0{moment}\0{strategy or ''}"
            )
            trade_id = self._id_of(said, executed_at)
        units = (quantity_units, price_units, fee_units)
        return PastTrade(
            line, account, trade_id, ticker, side, quantity, price, fee, executed_at, strategy,
            units, moment,
        )  # fmt: skip

    def identity_of(self, trade: PastTrade | BadRow, said: object) -> str:
        """Return the id that a row keeps when it is corrected; `said` is what stands in it."""
        if isinstance(trade, PastTrade):
            return trade.id
        return id_of(f"{self._account}\0{self._batch}\0{trade.line}\0{said!r}")

    def _identity(self, text: str) -> str:
        if not _UUID.fullmatch(text):
            raise ValueError("must be as --skip-bad wrote it, or empty")
        if text in self._identities:
            raise ValueError("stands in an earlier row; leave it empty for a trade of its own")
        self._identities.add(text)
        return text

    def _ticker(self, text: str) -> str:
        try:
            ticker = self._tickers[text] = parse_ticker(text)
        except InvalidRequest as error:
            raise ValueError(str(error)) from None
        return ticker

    def _time(self, text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise ValueError("must be a time with a zone, such as 2026-11-22T14:30:00Z")
        if moment > self._now:
            raise ValueError("lies in the future")
        return moment

    def _id_of(self, said: str, executed_at: datetime) -> str:
        """Return a UUIDv7 of the trade's time and of what its row says, for the n-th time."""
        digest = hashlib.sha256(said.encode()).digest()
        key = int.from_bytes(digest[:8])
        if key in self._seen:
            repeat = self._repeats[key] = self._repeats.get(key, 0) + 1
            digest = hashlib.sha256(f"{said}\0{repeat}".encode()).digest()
        else:
            self._seen.add(key)
        milliseconds = int(executed_at.timestamp() * 1000) & _48_BITS
        return uuid_of(milliseconds << 80 | int.from_bytes(digest[-10:]), 7)


def _side(text: str) -> Side:
    side = _SIDES.get(text)
    if side is None:
        raise ValueError("must be buy or sell")
    return side


@lru_cache(maxsize=8192)
def _amount(text: str, scale: int, least: int = 1) -> tuple[Decimal, int]:
    """Return an amount and its number of units."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(
            "must be a number of at most 13 digits before and 9 after the point, such as 10 or 0.5"
            if text
            else "is missing"
        )
    amount = Decimal(text)
    scaled = EXACT.scaleb(amount, scale)
    units = int(scaled)
    if units != scaled:
        raise ValueError(f"must have at most {scale} decimal places")
    if units < least or amount > booking.LARGEST_AMOUNT:
        bound = "more than 0 and " if least else ""
        raise ValueError(f"must be {bound}at most 1000000000")
    return amount, units


def _text(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"must have at most {longest} characters")
    if not text.isprintable():
        raise ValueError("must be printable text in UTF-8")
    return text
