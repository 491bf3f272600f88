"""Adding, moving and removing domains and stocks."""

from typing import NamedTuple

from sqlalchemy import Select, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import Clock
from paperdesk.errors import Busy, InvalidState, NotFound
from paperdesk.ids import new_id
from paperdesk.models import Domain, ScoreSnapshot, Stock


class Followed(NamedTuple):
    """A stock and its domain, and whether it is new."""

    stock: Stock
    domain: Domain
    is_new: bool


async def domain_named(session: AsyncSession, name: str) -> Domain:
    """Return a domain. Raises NotFound."""
    return await _found(session, _named(name), name)


async def add_domain(session: AsyncSession, name: str, clock: Clock) -> tuple[Domain, bool]:
    """Add a domain; return it, and whether it is new. The unique constraint decides."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    added = await session.scalar(
        insert(Domain).values(id=new_id(), name=name).on_conflict_do_nothing().returning(Domain.id)
    )
    domain = await domain_named(session, name)
    if added is not None:
        line = Line(
            Action.domain_added,
            f"The domain {name} was added.",
            subject=domain.id,
            after={"name": name},
        )
        note(session, line, clock.now())
    return domain, added is not None


async def remove_domain(session: AsyncSession, name: str, clock: Clock) -> None:
    """Remove a domain that has no stocks. Raises NotFound, or InvalidState where it has any."""
    domain = await _found(session, _named(name).with_for_update(), name)
    if await session.scalar(select(exists().where(Stock.domain_id == domain.id))):
        raise InvalidState(f"{name} has stocks. Move or remove them first.")
    await session.delete(domain)
    line = Line(
        Action.domain_removed,
        f"The domain {name} was removed.",
        subject=domain.id,
        before={"name": name},
    )
    note(session, line, clock.now())


async def put_stock(
    session: AsyncSession, ticker: str, name: str | None, domain_name: str, clock: Clock
) -> Followed:
    """Follow a stock in a domain: add it there, move it there, or give it another name.

    Without a name a new stock is called by its ticker, and another keeps its own. One that is moved
    has no score until it was fetched with the stocks of its new domain. Raises NotFound for a
    domain that there is not.
    """
    # Shared, so that nobody removes the domain meanwhile.
    query = _named(domain_name).with_for_update(read=True, key_share=True)
    domain = await _found(session, query, domain_name)
    stock = await _locked(session, ticker)
    if stock is None:
        stock = await _inserted(session, ticker, name or ticker, domain)
        if stock is not None:
            after = {"name": stock.name, "domain": domain.name}
            message = f"{ticker} was added to {domain.name}."
            line = Line(Action.stock_added, message, subject=ticker, after=after)
            note(session, line, clock.now())
            return Followed(stock, domain, is_new=True)
        stock = await _locked(session, ticker)
        if stock is None:
            raise Busy(f"{ticker} was added and removed at the same time. Try again.")
    await _change(session, stock, name or stock.name, domain, clock)
    return Followed(stock, domain, is_new=False)


async def remove_stock(session: AsyncSession, ticker: str, clock: Clock) -> None:
    """Follow a stock no longer: it goes with its scores. Raises NotFound."""
    stock = await _locked(session, ticker)
    if stock is None:
        raise NotFound(f"{ticker} is in no domain.")
    domain = await session.get_one(Domain, stock.domain_id)
    await session.execute(delete(ScoreSnapshot).where(ScoreSnapshot.ticker == ticker))
    await session.delete(stock)
    before = {"name": stock.name, "domain": domain.name}
    message = f"{ticker} was removed from {domain.name}."
    note(session, Line(Action.stock_removed, message, subject=ticker, before=before), clock.now())


async def _change(
    session: AsyncSession, stock: Stock, name: str, domain: Domain, clock: Clock
) -> None:
    """Move and rename a stock, as far as that is a change."""
    if (stock.name, stock.domain_id) == (name, domain.id):
        return
    old = await session.get_one(Domain, stock.domain_id)
    before = {"name": stock.name, "domain": old.name}
    after = {"name": name, "domain": domain.name}
    if stock.domain_id != domain.id:
        message = f"{stock.ticker} was moved from {old.name} to {domain.name}."
        stock.last_updated = None
    else:
        message = f"{stock.ticker} is called {name} now."
    stock.name, stock.domain_id = name, domain.id
    line = Line(Action.stock_changed, message, subject=stock.ticker, before=before, after=after)
    note(session, line, clock.now())


async def _inserted(session: AsyncSession, ticker: str, name: str, domain: Domain) -> Stock | None:
    """Insert a stock; None if it is there by now."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    added = await session.scalar(
        insert(Stock)
        .values(ticker=ticker, name=name, domain_id=domain.id)
        .on_conflict_do_nothing()
        .returning(Stock.ticker)
    )
    return None if added is None else await session.get_one(Stock, ticker)


async def _locked(session: AsyncSession, ticker: str) -> Stock | None:
    return await session.scalar(select(Stock).where(Stock.ticker == ticker).with_for_update())


def _named(name: str) -> Select[Domain]:
    return select(Domain).where(Domain.name == name)


async def _found(session: AsyncSession, query: Select[Domain], name: str) -> Domain:
    domain = await session.scalar(query)
    if domain is None:
        raise NotFound(f"There is no domain {name}. GET /api/domains lists them.")
    return domain
