"""The kind `import_watchlist`: each row is a ticker, put on the account's watchlist."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import delete

from paperdesk.errors import InvalidRequest, UnknownTicker
from paperdesk.ids import new_id
from paperdesk.jobs.kinds import FEW, AlreadyDone, Outcome
from paperdesk.jobs.tables import header_of, is_json, rows_of, text_of
from paperdesk.ledger.lane.books import Books
from paperdesk.market.feed import Market
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import PRIMARY_LIST, Base, Job, JobRow
from paperdesk.orders.placing import unknown_among
from paperdesk.watchlist.pasted import tickers_in
from paperdesk.watchlist.service import added_line, removed_line

_ENTRIES: Final = Base.metadata.tables["watchlist"]
_NAMES: Final = ("ticker", "symbol")
"""Fields that name the ticker; a row has one of them."""
_EXCHANGES: Final = frozenset(
    {"NASDAQ", "NYSE", "AMEX", "ARCA", "NYSEARCA", "BATS", "CBOE", "OTC", "IEX"}
)
"""What may stand before a ticker, as in NASDAQ:AAPL: the exchanges of US stocks."""
_LONGEST: Final = 16
_MOST_NAMED: Final = 8


class Wanted(NamedTuple):
    """A ticker to be watched, and the fields beside it, of which nothing is kept."""

    ticker: str
    beside: Sequence[str] = ()


class ImportWatchlist:
    """Tickers. One that is on the list already is skipped, and the list keeps its order."""

    name = "import_watchlist"
    at_once = FEW

    def __init__(self, market: Market) -> None:
        self._market = market

    async def spoken(self, account_id: str, command: str) -> list[Any]:  # noqa: ARG002 - a text says the same for all
        """Return the tickers of a text that was pasted. Raises InvalidRequest where it has none."""
        rows = tickers_in(command)
        if not rows:
            raise InvalidRequest("original_command: name tickers, such as AAPL, MSFT NVDA.")
        return list(rows)

    def filed(self, content: bytes) -> list[Any]:
        """Return the rows of a table with a column that names the ticker, else each word's."""
        text = text_of(content)
        if is_json(text) or not set(_NAMES).isdisjoint(header_of(text)):
            return rows_of(text)
        # As objects, so that a file of those that failed can be fed back.
        rows = [{"ticker": ticker} for ticker in tickers_in(text)]
        if not rows:
            raise InvalidRequest("file: names no tickers, such as AAPL, MSFT NVDA.")
        return rows

    def check(self, data: Any, told: Any) -> Wanted:  # noqa: ARG002 - nothing is told of a list
        """Return what a row asks for: it is a ticker, or has one. Raises InvalidRequest."""
        if isinstance(data, str):
            return Wanted(_ticker(data, "row"))
        fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        named = [name for name in _NAMES if fields.get(name) is not None]
        if len(named) != 1:
            raise InvalidRequest("row: must be a ticker, or have one as `ticker` or `symbol`.")
        [name] = named
        return Wanted(_ticker(fields[name], name), [each for each in fields if each not in _NAMES])

    def is_ordered(self, rows: Sequence[Wanted]) -> bool:
        """Say whether a ticker stands in two rows: then the first is the one that counts."""
        return len({row.ticker for row in rows}) < len(rows)

    async def prepare(self, rows: Sequence[Wanted]) -> Mapping[str, UnknownTicker]:
        """Have all tickers priced, in 2 s at most; return why, of those that there are not.

        One that is known but has no price yet may be watched all the same.
        """
        return await unknown_among(self._market, (row.ticker for row in rows))

    def book(
        self,
        books: Books,
        job: Job,
        row: JobRow,  # noqa: ARG002 - the list itself keeps a ticker from being there twice
        said: Wanted,
        prepared: Mapping[str, UnknownTicker],
    ) -> Outcome:
        """Put the ticker on the list. Raises AlreadyDone, or UnknownTicker."""
        ticker = said.ticker
        if (unknown := prepared.get(ticker)) is not None:
            raise unknown
        unique = {"user_id": job.user_id, "list_id": PRIMARY_LIST, "ticker": ticker}
        entry_id = new_id()
        rest = {"id": entry_id, "added_at": self._market.clock.now()}
        if not books.insert_new(_ENTRIES, unique, rest):
            raise AlreadyDone(f"{ticker} is on the watchlist already.")
        books.note(added_line(job.user_id, entry_id, ticker))
        effect = {"entry_id": entry_id, "ticker": ticker}
        return Outcome(Decimal(0), effect, warning=_not_kept(said.beside))

    def undo(self, books: Books, job: Job, row: JobRow) -> None:
        """Take the ticker off the list. One that somebody put there anew stays."""
        booked = cast("dict[str, str]", row.effect)
        entry_id, ticker = booked["entry_id"], booked["ticker"]
        gone = books.connection.execute(delete(_ENTRIES).where(_ENTRIES.c.id == entry_id)).rowcount
        if gone:
            books.note(removed_line(job.user_id, entry_id, ticker))


def _ticker(value: Any, field: str) -> str:
    """Return the ticker that a field names, an exchange of US stocks before it left out."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{field}: must be text such as AAPL or NASDAQ:AAPL.")
    exchange, colon, ticker = value.strip().upper().rpartition(":")
    if colon and exchange not in _EXCHANGES:
        raise InvalidRequest(f"{field}: {exchange[:_LONGEST]} is no exchange of US stocks.")
    try:
        return parse_ticker(ticker)
    except InvalidRequest as refusal:
        raise InvalidRequest(f"{field}: {refusal}") from None


def _not_kept(beside: Sequence[str]) -> str | None:
    """Return what a person should know of the fields beside a ticker."""
    if not beside:
        return None
    more = "" if len(beside) <= _MOST_NAMED else " and more"
    return f"A watchlist has tickers alone; not kept: {', '.join(beside[:_MOST_NAMED])}{more}."
