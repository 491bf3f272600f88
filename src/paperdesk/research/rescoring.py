"""Fetching and scoring all stocks, once: for the task that does it, and for whoever asks now."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.types import EXACT
from paperdesk.ids import new_id
from paperdesk.market.quotes import SourceUnavailable, usable
from paperdesk.models import Base, DeskMeta, Stock
from paperdesk.research.queries import PACE, SOURCE, TROUBLE, past_of
from paperdesk.research.scoring import Observation, Scored, scored
from paperdesk.research.stock_source import Found, StockSource

_SNAPSHOTS: Final[Table] = Base.metadata.tables["score_snapshots"]
_PLACES: Final = Decimal("0.000000001")
_LARGEST_VOLUME: Final = Decimal(9_000_000_000)
"""Shares that a column of nine places holds."""
_MOST_NAMED: Final = 20

Writes = Callable[[], AbstractAsyncContextManager[AsyncSession]]

log = structlog.get_logger()


class Done(StrEnum):
    """What became of a stock."""

    scored = "scored"
    no_price = "no_price"
    """The source had no usable price of it; its last score stays."""
    changed = "changed"
    """It was removed, or moved to another domain, meanwhile; nothing was stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done with a stock; price in US dollars, score 0 to 100, rank within its domain."""

    ticker: str
    done: Done
    close_price: Decimal | None = None
    score: Decimal | None = None
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Rescored:
    """What a fetch did: an outcome for each stock, by ticker.

    `error` says what could not be had. `observations` is the length of the longest history that was
    scored, this fetch included.
    """

    fetched_at: datetime
    outcomes: Sequence[Outcome]
    error: str | None
    observations: int


class _Followed(NamedTuple):
    """A stock as it was when the fetch began."""

    ticker: str
    domain_id: str


async def rescore(
    database: Database,
    source: StockSource,
    clock: Clock,
    *,
    write: Writes | None = None,
    domain_id: str | None = None,
) -> Rescored:
    """Fetch prices and volumes of all stocks, or of a domain's, in one call; score and store them.

    `write` gives the transaction that stores; `Database.write` if left out. Nothing is open while
    the source is asked. What is not usable is not stored. Raises SourceUnavailable when nothing
    could be had; then the last scores stay. What a fetch of all could not have is noted.
    """
    write = write or database.write
    query = select(Stock.ticker, Stock.domain_id).order_by(Stock.ticker)
    if domain_id is not None:
        query = query.where(Stock.domain_id == domain_id)
    async with database.read() as session:
        rows = await session.execute(query)
        stocks = [_Followed(*row) for row in rows]
        past = await past_of(session)
    if not stocks:
        return Rescored(clock.now(), (), None, 0)
    try:
        found = await _usable_of(source, [stock.ticker for stock in stocks])
    except SourceUnavailable as error:
        log.warning("research.not_fetched", source=source.name, reason=str(error))
        if domain_id is None:
            async with write() as session:
                await _note_trouble(session, str(error))
        raise
    series = {
        ticker: _series(each, past.get((ticker, each.source), ())) for ticker, each in found.items()
    }
    # For a thousand stocks it takes a tenth of a second.
    scores = await asyncio.to_thread(_scores, stocks, series)
    missing = [stock.ticker for stock in stocks if stock.ticker not in found]
    error = _without(missing, source.name) if missing else None
    fetched_at = clock.now()
    async with write() as session:
        stored = await _store(session, fetched_at, stocks, found, scores)
        if domain_id is None:
            await _note_trouble(session, error)
    return Rescored(
        fetched_at,
        [_outcome(stock.ticker, stored, found, scores) for stock in stocks],
        error,
        max(map(len, series.values())),
    )


async def _usable_of(source: StockSource, tickers: Collection[str]) -> dict[str, Found]:
    answer = await source.fetch(tickers)
    found = {ticker: answer[ticker] for ticker in tickers if ticker in answer}
    if found := {ticker: each for ticker, each in found.items() if usable(each.close)}:
        return found
    raise SourceUnavailable(f"{source.name} gave no usable price.")


def _series(found: Found, past: Sequence[Observation]) -> list[Observation]:
    """Return a stock's observations, oldest first, this one the last."""
    if found.history is not None:
        return list(found.history)
    return [*past, Observation(found.close, found.pace)]


def _scores(
    stocks: Sequence[_Followed], series: Mapping[str, Sequence[Observation]]
) -> dict[str, Scored]:
    domains: dict[str, dict[str, Sequence[Observation]]] = {}
    for ticker, domain_id in stocks:
        if ticker in series:
            domains.setdefault(domain_id, {})[ticker] = series[ticker]
    return {each.ticker: each for domain in domains.values() for each in scored(domain)}


async def _store(
    session: AsyncSession,
    fetched_at: datetime,
    stocks: Sequence[_Followed],
    found: Mapping[str, Found],
    scores: Mapping[str, Scored],
) -> set[str]:
    """Insert the snapshots, and return of which stocks; not of those that changed meanwhile."""
    locked = await session.execute(
        select(Stock.ticker, Stock.domain_id).order_by(Stock.ticker).with_for_update()
    )
    there = {_Followed(*row) for row in locked}
    rows = [
        {
            "id": new_id(),
            "ticker": stock.ticker,
            "fetched_at": fetched_at,
            "close_price": _rounded(found[stock.ticker].close),
            "volume": _volume(found[stock.ticker].volume),
            "score": float(scores[stock.ticker].score),
            "rank": scores[stock.ticker].rank,
            "factors": _factors(found[stock.ticker], scores[stock.ticker]),
        }
        for stock in stocks
        if stock.ticker in found and stock in there
    ]
    if rows:
        await session.execute(insert(_SNAPSHOTS), rows)
        stored = select(_SNAPSHOTS.c.ticker).where(_SNAPSHOTS.c.fetched_at == fetched_at)
        await session.execute(
            update(Stock)
            .where(Stock.ticker.in_(stored))
            .values(last_updated=fetched_at)
            .execution_options(synchronize_session=False)
        )
    return {str(row["ticker"]) for row in rows}


def _factors(found: Found, score: Scored) -> dict[str, Any]:
    """Return what a score is made of, as the snapshot keeps it."""
    measures = {
        factor.value: {"value": measure.value, "percentile": measure.percentile}
        for factor, measure in score.factors.items()
    }
    pace = _volume(found.pace)
    return {SOURCE: found.source, PACE: pace and format(pace, "f"), **measures}


def _volume(shares: Decimal | None) -> Decimal | None:
    """Return a volume that may be stored; None for what makes no sense."""
    if shares is None or not shares.is_finite() or not 0 < shares <= _LARGEST_VOLUME:
        return None
    return _rounded(shares) or None


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_PLACES, ROUND_HALF_EVEN, EXACT)


async def _note_trouble(session: AsyncSession, error: str | None) -> None:
    """Say to every process of the desk what the last fetch could not have."""
    if error is None:
        await session.execute(delete(DeskMeta).where(DeskMeta.key == TROUBLE))
        return
    dialect = session.get_bind().dialect.name
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(DeskMeta)
    await session.execute(
        statement.values(key=TROUBLE, value=error).on_conflict_do_update(
            index_elements=["key"], set_={"value": error}
        )
    )


def _without(missing: Sequence[str], source: str) -> str:
    named = ", ".join(missing[:_MOST_NAMED])
    more = len(missing) - _MOST_NAMED
    others = f" and {more} more" if more > 0 else ""
    return f"{source} has no usable price of {named}{others}: their last scores stay."


def _outcome(
    ticker: str,
    stored: set[str],
    found: Mapping[str, Found],
    scores: Mapping[str, Scored],
) -> Outcome:
    if ticker not in found:
        return Outcome(ticker, Done.no_price)
    if ticker not in stored:
        return Outcome(ticker, Done.changed)
    score = scores[ticker]
    return Outcome(ticker, Done.scored, _rounded(found[ticker].close), score.score, score.rank)
