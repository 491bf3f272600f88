"""Minutes of the past: what a source may have of them, and which of them may be stored."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection, func, select

from paperdesk.db.types import EXACT
from paperdesk.market.bars import Bar, Timeframe, floor
from paperdesk.market.quotes import LARGEST_PRICE, usable

SETTLED: Final = timedelta(minutes=20)
"""After so long a minute no longer changes: some plans are told everything 15 minutes later.

By then the recorder, too, has stored what the desk itself saw of it.
"""
BARS: Final = "paperdesk_bars"
"""The channel on which processes tell each other of tickers that have other minutes now."""
_PLACES: Final = Decimal("0.000000001")


class BarPage(NamedTuple):
    """Minute bars as a source gave them, oldest first; nobody has looked yet whether they are sane.

    `unreadable` is how many more there were that are no bars. `next` leads to the page after this
    one, None where there is none; only the source knows what it means.
    """

    bars: Sequence[Bar]
    unreadable: int
    next: str | None


@runtime_checkable
class BarSource(Protocol):
    """A source of prices that has minutes of the past."""

    async def bars(
        self, ticker: str, since: datetime, until: datetime, page: str | None = None
    ) -> BarPage:
        """Return minutes that start in [since, until), as they were traded: splits change nothing.

        `page` is the `next` of the page before. Raises AskLater where only that helps, and
        SourceUnavailable where nothing could be had.
        """
        ...


def storable(bar: Bar, since: datetime, until: datetime) -> Bar | None:
    """Return a bar as it may be stored, None for one that is not sane, or not in [since, until)."""
    if not since <= bar.start < until or floor(bar.start, Timeframe.minute) != bar.start:
        return None
    prices = (bar.open, bar.high, bar.low, bar.close)
    # First of all whether they are numbers: to compare NaN raises.
    if not (all(map(usable, prices)) and bar.volume.is_finite()):
        return None
    if bar.low > min(prices) or bar.high < max(prices) or not 0 <= bar.volume <= LARGEST_PRICE:
        return None
    return replace(
        bar,
        open=_rounded(bar.open),
        high=_rounded(bar.high),
        low=_rounded(bar.low),
        close=_rounded(bar.close),
        volume=_rounded(bar.volume),
    )


def tell_of_past(connection: Connection, ticker: str) -> None:
    """Tell all processes, once the transaction commits, that a ticker has other minutes now."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(BARS, ticker)))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, ROUND_HALF_EVEN, EXACT)
