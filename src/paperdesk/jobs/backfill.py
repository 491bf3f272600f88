"""The kind `backfill`: minutes of the past from the price source, stored where there are none."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from paperdesk.api.codec import Ask
from paperdesk.api.pages import LATEST, on_the_calendar
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.types import format_utc
from paperdesk.errors import InvalidRequest, InvalidState, PriceUnavailable, UnknownTicker
from paperdesk.jobs.kinds import Tell
from paperdesk.jobs.reading import read_row
from paperdesk.ledger.proof.standing import Standing
from paperdesk.market.bars import Bar, Timeframe, floor
from paperdesk.market.past import SETTLED, BarPage, BarSource, storable, tell_of_past
from paperdesk.market.quotes import AskLater, PriceSource, SourceUnavailable
from paperdesk.market.recorder import store_absent
from paperdesk.market.tickers import TICKER
from paperdesk.models import Job

_NEW_YORK: Final = ZoneInfo("America/New_York")
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=366)
"""What a row may reach over: a quarter of a million minutes of a stock that is always traded."""
_CLOCKS_CHANGE: Final = timedelta(hours=1)
_STRETCH: Final = 500
"""Bars in one transaction: some hundredths of a second, for which trades wait."""
_MOST_PAGES: Final = 1_000
"""Pages of a row; a source that has more goes in circles."""
_NAP: Final = 2.0
"""Seconds of waiting, after which it looks whether the job was stopped."""
_PATIENCE: Final = timedelta(hours=1)
"""How long one page is waited for."""
_A_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _when(value: Any) -> date | datetime:
    if isinstance(value, str):
        with suppress(ValueError):
            if _A_DAY.fullmatch(value):
                return date.fromisoformat(value)
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return on_the_calendar(moment)
    raise ValueError(
        "must be a date in New York, such as 2026-11-02, or a time with its zone, such as "
        "2026-11-02T14:30:00Z"
    )


def _ticker(value: Any) -> str:
    ticker = value.upper() if isinstance(value, str) and value.isascii() else ""
    if not TICKER.fullmatch(ticker):
        raise ValueError("must be a ticker, such as AAPL or BRK.B")
    return ticker


_When = Annotated[date | datetime, BeforeValidator(_when)]


class BackfillRow(Ask):
    """Which minutes: from the beginning of a day in New York or from a time on, to the end of one.

    Without `to` till now, without `from` as far back as a row may reach.
    """

    ticker: Annotated[str, BeforeValidator(_ticker)]
    since: Annotated[_When | None, Field(alias="from")] = None
    until: Annotated[_When | None, Field(alias="to")] = None


class Span(NamedTuple):
    """Minutes of a ticker that start in [since, until)."""

    ticker: str
    since: datetime
    until: datetime

    def minutes_to(self, moment: datetime) -> int:
        """Return how many minutes lie between its beginning and an instant within it."""
        return (moment - self.since) // _MINUTE


@dataclass(slots=True)
class _Tally:
    """What came of the bars that the source gave."""

    stored: int = 0
    there_already: int = 0
    refused: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Backfill:
    """Fetches page by page and stores what is missing. Begun anew, it finds what it had stored.

    `heard` is told of each ticker that has other minutes now.
    """

    name = "backfill"
    whole_desk = True
    most_rows = 100

    def __init__(
        self,
        database: Database,
        source: PriceSource,
        clock: Clock,
        standing: Standing,
        heard: Callable[[str], None],
    ) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._standing = standing
        self._heard = heard

    def check(self, data: Any, told: Any) -> Span:  # noqa: ARG002 - it has no file
        """Return which minutes a row asks for, none that may still change.

        Raises InvalidRequest, also for more than a row may reach over.
        """
        row = read_row(BackfillRow, data)
        settled = floor(self._clock.now() - SETTLED, Timeframe.minute)
        asked = settled if row.until is None else _instant(row.until, is_end=True)
        until = min(asked, settled)
        if row.since is None:
            since = on_the_calendar(until - _LONGEST)
        else:
            since = _instant(row.since, is_end=False)
        if row.until is not None and since >= asked:
            raise InvalidRequest("from: must be before to.")
        if since >= until:
            raise InvalidRequest(
                f"from: must be more than {SETTLED // _MINUTE} minutes ago. Until then a minute "
                "may still change."
            )
        if until - since > _LONGEST + _CLOCKS_CHANGE:
            raise InvalidRequest(
                f"from: a row reaches over {_LONGEST.days} days at the most. Give several rows."
            )
        return Span(row.ticker, since, until)

    async def run(self, job: Job, said: Span, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - prices are the desk's
        """Do it, and return what came of the bars: stored, there already, or refused.

        Raises InvalidState where the source has no past, UnknownTicker, PriceUnavailable where the
        source does not answer, ReadOnly where nothing may be stored.
        """
        source = self._source
        if not isinstance(source, BarSource):
            raise InvalidState(
                f"The price source {source.name} has no minutes of the past. Set MASSIVE_API_KEY: "
                "Massive has them."
            )
        tally = _Tally()
        try:
            await self._fill(source, said, tally, tell)
            nothing = tally.last is None and not tally.refused
            if nothing and not await source.knows(said.ticker):
                raise UnknownTicker(
                    f"{source.name} has no ticker {said.ticker}. Check how it is spelled."
                )
        except SourceUnavailable as error:
            kept = f" {tally.stored:,} bars are stored; retry fetches the rest." * bool(
                tally.stored
            )
            raise PriceUnavailable(f"{error}{kept}") from error
        total = said.minutes_to(said.until)
        await tell(total, total)
        return {
            "ticker": said.ticker,
            "from": format_utc(said.since),
            "to": format_utc(said.until),
            "stored": tally.stored,
            "there_already": tally.there_already,
            "refused": tally.refused,
            "first": tally.first and format_utc(tally.first),
            "last": tally.last and format_utc(tally.last),
        }

    async def _fill(self, source: BarSource, span: Span, tally: _Tally, tell: Tell) -> None:
        total = span.minutes_to(span.until)
        await tell(0, total)
        page = None
        for _ in range(_MOST_PAGES):
            found = await self._page(source, span, page, tell)
            tally.refused += found.unreadable
            bars = sorted(found.bars, key=lambda bar: bar.start)
            for at in range(0, len(bars), _STRETCH):
                # Looked at by the stretch too: all 50,000 of a page would hold up the desk.
                some = [storable(bar, span.since, span.until) for bar in bars[at : at + _STRETCH]]
                sane = [bar for bar in some if bar is not None]
                tally.refused += len(some) - len(sane)
                if sane:
                    await self._store(span.ticker, sane, tally)
                    await tell(span.minutes_to(sane[-1].start) + 1, total)
            page = found.next
            if page is None:
                return
        raise SourceUnavailable(f"{self._source.name} gives pages without end.")

    async def _page(self, source: BarSource, span: Span, page: str | None, tell: Tell) -> BarPage:
        """Return a page, waiting as long as the source wants. Raises SourceUnavailable."""
        give_up = self._clock.now() + _PATIENCE
        while True:
            try:
                return await source.bars(*span, page)
            except AskLater as error:
                left = error.seconds
                if self._clock.now() + timedelta(seconds=left) > give_up:
                    raise
            while left > 0:
                await self._clock.sleep(min(left, _NAP))
                left -= _NAP
                await tell()

    async def _store(self, ticker: str, bars: Sequence[Bar], tally: _Tally) -> None:
        await self._standing.check()
        async with self._database.write() as session:
            connection = await session.connection()
            stored = await store_absent(connection, bars)
            if stored:
                await connection.run_sync(tell_of_past, ticker)
        if stored:
            self._heard(ticker)
        tally.stored += stored
        tally.there_already += len(bars) - stored
        tally.first = min(tally.first or bars[0].start, bars[0].start)
        tally.last = max(tally.last or bars[-1].start, bars[-1].start)


def _instant(when: date | datetime, *, is_end: bool) -> datetime:
    """Return an instant; of a day its beginning, or its end, in New York."""
    if isinstance(when, datetime):
        return when
    day = min(when, LATEST.date()) + (_DAY if is_end else timedelta(0))
    return on_the_calendar(datetime.combine(day, time(0), _NEW_YORK).astimezone(UTC))
