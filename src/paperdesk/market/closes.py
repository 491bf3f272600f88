"""The last prices of stretches of time, from the stored minutes: one look-up an index each."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Select,
    String,
    bindparam,
    cast,
    column,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import aliased
from sqlalchemy.types import TypeEngine

from paperdesk.db.types import UtcDateTime, format_utc
from paperdesk.market.bars import Timeframe
from paperdesk.models import Base, PriceBar

AT_ONCE: Final = 2_000
"""Stretches that one statement is asked for."""

DAYS_AT_ONCE: Final = 40_000
"""Days of tickers that one statement is asked for."""

MINUTE: Final = timedelta(minutes=1)

# Not through the model: so many rows would take twice as long.
_BARS: Final = Base.metadata.tables[PriceBar.__tablename__]


class Stretch(NamedTuple):
    """A stretch of time of a ticker: minutes that start in it count, the last before `until`."""

    ticker: str
    since: datetime
    until: datetime


class Close(NamedTuple):
    """The price at the end of the last minute of a stretch, in billionths of a dollar."""

    stretch: int
    at: datetime
    price: int


def chunks(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Give stretches in as many as one statement takes."""
    rest = iter(stretches)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def last_closes(dialect: str, stretches: Sequence[Stretch]) -> Select[Any]:
    """Select number (from 0), start and close of the last minute of each stretch that has one."""
    return _closes(_Wanted(dialect, stretches), func.max)


def first_closes(dialect: str, stretches: Sequence[Stretch]) -> Select[Any]:
    """Select the same of the first minute of each stretch that has one."""
    return _closes(_Wanted(dialect, stretches), func.min)


def reaches(dialect: str, stretches: Sequence[Stretch]) -> Select[Any]:
    """Select number (from 0), the first and the last minute's start of each stretch; NULL, NULL."""
    wanted = _Wanted(dialect, stretches)
    return wanted.rows(select(wanted.number, wanted.minutes(func.min), wanted.minutes(func.max)))


class DaysOf(NamedTuple):
    """Some of the days that a statement is given, by their numbers, of a ticker."""

    ticker: str
    first: int
    end: int


def day_closes(dialect: str, wanted: Sequence[DaysOf], starts: Sequence[datetime]) -> Select[Any]:
    """Select number of the ticker, number of the day, when and what its last minute was.

    Day n is from `starts[n]` to `starts[n + 1]`; both numbers are from 0. The time is in seconds
    since 1970, at which that minute began; the price in billionths. In order of both numbers.
    """
    until = starts[1:]
    if dialect == "sqlite":
        kinds = (String(), Integer(), Integer())
        tickers = _listed("wanted", json.dumps(wanted), kinds)
        days = _listed("days", _pairs(tuple(starts)), (UtcDateTime(), UtcDateTime()))
        at = cast(func.strftime("%s", _BARS.c.start), BigInteger)
    else:
        names, first, end = zip(*wanted, strict=True)
        tickers = _unnested("wanted", (names, String()), (first, Integer()), (end, Integer()))
        days = _unnested("days", (starts[:-1], UtcDateTime()), (until, UtcDateTime()))
        at = cast(func.extract("epoch", _BARS.c.start), BigInteger)
    bar = _BARS.alias()
    newest = (
        select(func.max(bar.c.start))
        .where(
            bar.c.ticker == tickers.c.a,
            bar.c.timeframe == Timeframe.minute.value,
            bar.c.start >= days.c.a,
            bar.c.start < days.c.b,
        )
        .correlate(tickers, days)
        .scalar_subquery()
    )
    query: Any = (
        select(tickers.c.number, days.c.number, at, type_coerce(_BARS.c.close, BigInteger))
        .select_from(tickers)
        .where(
            days.c.number >= tickers.c.b,
            days.c.number < tickers.c.c,
            _BARS.c.ticker == tickers.c.a,
            _BARS.c.timeframe == Timeframe.minute.value,
            _BARS.c.start == newest,
        )
        .order_by(tickers.c.number, days.c.number)
    )
    return query


def closes_from(rows: Iterable[Any]) -> Iterator[Close]:
    """Give what the rows of `last_closes` or `first_closes` say."""
    for number, start, close in rows:
        yield Close(number, start + MINUTE, close)


def _closes(wanted: "_Wanted", which: Any) -> Select[Any]:
    return wanted.rows(
        select(wanted.number, PriceBar.start, type_coerce(PriceBar.close, BigInteger)).where(
            PriceBar.ticker == wanted.ticker,
            PriceBar.timeframe == Timeframe.minute.value,
            PriceBar.start == wanted.minutes(which),
        )
    )


class _Wanted:
    """Stretches as a table."""

    def __init__(self, dialect: str, stretches: Sequence[Stretch]) -> None:
        if dialect == "sqlite":
            rows = json.dumps([(s.ticker, *map(format_utc, s[1:])) for s in stretches])
            table = _listed("wanted", rows, (String(), UtcDateTime(), UtcDateTime()))
        else:
            tickers, since, until = zip(*stretches, strict=True)
            moments = ((since, UtcDateTime()), (until, UtcDateTime()))
            table = _unnested("wanted", (tickers, String()), *moments)
        self._table = table
        self.number = table.c.number
        self.ticker, self._since, self._until = table.c.a, table.c.b, table.c.c

    def minutes(self, which: Any) -> Any:
        """Return the subquery of the first (func.min) or last (func.max) minute's start."""
        bar = aliased(PriceBar)
        return (
            select(which(bar.start))
            .where(
                bar.ticker == self.ticker,
                bar.timeframe == Timeframe.minute.value,
                bar.start >= self._since,
                bar.start < self._until,
            )
            .correlate(self._table)
            .scalar_subquery()
        )

    def rows(self, query: Any) -> Select[Any]:
        """Return a query with the table of stretches before all others."""
        return query.select_from(self._table)


@lru_cache(maxsize=1)
def _pairs(moments: tuple[datetime, ...]) -> str:
    """Return each moment and the next one, as JSON: many statements in a row have the same days."""
    texts = [*map(format_utc, moments)]
    return json.dumps([*pairwise(texts)])


def _listed(name: str, rows: str, kinds: Sequence[TypeEngine[Any]]) -> Any:
    """Return JSON rows as a table of SQLite: numbered from 0, its columns a, b and so on.

    They are one parameter, so that no statement is compiled for each number of them.
    """
    each = func.json_each(bindparam(name, rows, String)).table_valued(
        column("key", Integer), column("value", String), name=f"{name}_listed"
    )
    columns = [
        func.json_extract(each.c.value, f"$[{place}]", type_=kind).label(letter)
        for place, (kind, letter) in enumerate(zip(kinds, "abc", strict=False))
    ]
    # Else SQLite would take the text apart again for each row of the other tables.
    return select(each.c.key.label("number"), *columns).cte(name).prefix_with("MATERIALIZED")


def _unnested(name: str, *columns: tuple[Sequence[Any], TypeEngine[Any]]) -> Any:
    """Return columns as a table of PostgreSQL: numbered from 0, named a, b and so on."""
    arrays = [cast(list(values), ARRAY(kind)) for values, kind in columns]
    named = [column(letter, kind) for (_, kind), letter in zip(columns, "abc", strict=False)]
    each = (
        func.unnest(*arrays)
        .table_valued(*named, with_ordinality="place", name=f"{name}_listed")
        .render_derived()
    )
    return select((each.c.place - 1).label("number"), *each.c[0 : len(named)]).cte(name)
