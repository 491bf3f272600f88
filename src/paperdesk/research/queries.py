"""What research asks the database: stocks and domains, the last fetches, how stocks stand."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.models import DeskMeta, Domain, ScoreSnapshot, Stock
from paperdesk.research.scoring import WINDOW, Observation, ranked

TROUBLE: Final = "research_error"
"""The fact in `desk_meta` that says what the last fetch could not have."""

SOURCE: Final = "source"
PACE: Final = "pace"
"""What else stands in `factors`: who made the price, and the pace of trading, as text."""

_AT_ONCE: Final = 500
_MOST_FETCHES: Final = 5 * WINDOW
"""Fetches that are looked at for the last ones of each domain."""


class Standing(NamedTuple):
    """A stock with its domain's name, and its last snapshot, None until there is one."""

    stock: Stock
    domain: str
    snapshot: ScoreSnapshot | None

    @property
    def score(self) -> Decimal | None:
        """Its last score, 0 to 100."""
        return score_of(self.snapshot) if self.snapshot else None


def score_of(snapshot: ScoreSnapshot) -> Decimal | None:
    """Return a stored score as it was computed: with so few digits, a double gives them back."""
    return None if snapshot.score is None else Decimal(repr(snapshot.score))


def domains_with_counts() -> "Select[Domain, int]":
    """Select the domains, each with the number of its stocks, in the order they were added."""
    return (
        select(Domain, func.count(Stock.ticker))
        .outerjoin(Stock, Stock.domain_id == Domain.id)
        .group_by(Domain.id)
        .order_by(Domain.id)
    )


def stocks_with_domains() -> "Select[Stock, str]":
    """Select the stocks, each with the name of its domain, by ticker."""
    return (
        select(Stock, Domain.name).join(Domain, Stock.domain_id == Domain.id).order_by(Stock.ticker)
    )


async def standings(session: AsyncSession, domain: str | None = None) -> list[Standing]:
    """Return the stocks of a domain, or of all, as they stand.

    A stock's last snapshot is that of `last_updated`. One that was added, or moved to another
    domain, since the last fetch has none.
    """
    query = (
        select(Stock, Domain.name, ScoreSnapshot)
        .join(Domain, Stock.domain_id == Domain.id)
        .outerjoin(
            ScoreSnapshot,
            (ScoreSnapshot.ticker == Stock.ticker)
            & (ScoreSnapshot.fetched_at == Stock.last_updated),
        )
    )
    if domain is not None:
        query = query.where(Domain.name == domain)
    rows = (await session.execute(query)).all()
    # By ticker, so that two fetches at one instant show a stock once.
    return list({stock.ticker: Standing(stock, name, last) for stock, name, last in rows}.values())


def in_order(standing: Iterable[Standing]) -> tuple[list[Standing], list[Standing]]:
    """Return the stocks of a domain that were scored together, best first, and the others.

    The others have no price in the domain's last fetch, or were not fetched yet; by ticker.
    """
    rows = {each.stock.ticker: each for each in standing}
    last = max((e.stock.last_updated for e in rows.values() if e.stock.last_updated), default=None)
    scores = {
        ticker: each.score
        for ticker, each in rows.items()
        if each.score is not None and each.stock.last_updated == last
    }
    best = ranked(scores)
    return [rows[t] for t in best], [rows[t] for t in sorted(rows.keys() - scores.keys())]


async def past_of(session: AsyncSession) -> dict[tuple[str, str], list[Observation]]:
    """Return what the last fetches saw, by ticker and source, oldest first.

    Of a domain that is fetched more often than another it may be more than counts.
    """
    since = await _begin_of_windows(session)
    past: dict[tuple[str, str], list[Observation]] = {}
    if since is None:
        return past
    factors = ScoreSnapshot.factors
    rows = await session.stream(
        select(
            ScoreSnapshot.ticker,
            ScoreSnapshot.close_price,
            factors[SOURCE].as_string(),
            factors[PACE].as_string(),
        )
        .where(ScoreSnapshot.fetched_at >= since)
        .order_by(ScoreSnapshot.fetched_at, ScoreSnapshot.id)
    )
    # A part after the other, so that twenty thousand rows do not hold up everything else.
    async for part in rows.partitions(_AT_ONCE):
        for ticker, close, source, pace in part:
            seen = Observation(close, None if pace is None else Decimal(pace))
            past.setdefault((ticker, source), []).append(seen)
    return past


async def _begin_of_windows(session: AsyncSession) -> datetime | None:
    """Return when the first fetch was that counts for any domain: each may have its own ones."""
    fetches = (
        select(ScoreSnapshot.fetched_at)
        .distinct()
        .order_by(ScoreSnapshot.fetched_at.desc())
        .limit(_MOST_FETCHES)
    )
    oldest = min(await session.scalars(fetches), default=None)
    if oldest is None:
        return None
    last = await _by_domain(session, ScoreSnapshot.fetched_at >= oldest)
    return min((at[-(WINDOW - 1) :][0] for at in last.values()), default=None)


async def _by_domain(
    session: AsyncSession, which: ColumnElement[bool]
) -> dict[str, list[datetime]]:
    """Return the instants of some fetches of each domain, by its id, oldest first."""
    query = (
        select(Stock.domain_id, ScoreSnapshot.fetched_at)
        .join(Stock, Stock.ticker == ScoreSnapshot.ticker)
        .where(which)
        .distinct()
        .order_by(ScoreSnapshot.fetched_at)
    )
    found: dict[str, list[datetime]] = {}
    for domain_id, at in (await session.execute(query)).all():
        found.setdefault(domain_id, []).append(at)
    return found


async def trouble(session: AsyncSession) -> str | None:
    """Return what the last fetch could not have; None: it had all."""
    noted = await session.get(DeskMeta, TROUBLE)
    return noted.value if noted else None


async def fetches_before(session: AsyncSession, moment: datetime) -> dict[str, list[datetime]]:
    """Return the instants before one at which each domain was fetched, as far as they are kept.

    By the domain's id, oldest first.
    """
    return await _by_domain(session, ScoreSnapshot.fetched_at < moment)
