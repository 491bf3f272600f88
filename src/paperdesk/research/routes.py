"""/api/domains, /api/stocks and /api/rankings."""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Cursor,
    Limit,
    id_cursor,
    next_link,
    page,
)
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_whole_desk
from paperdesk.errors import (
    InvalidRequest,
    InvalidState,
    NotFound,
    PriceUnavailable,
    UnknownTicker,
)
from paperdesk.market.feed import Market
from paperdesk.market.tickers import TICKER, parse_ticker
from paperdesk.models import Domain, Stock
from paperdesk.research import service
from paperdesk.research.queries import (
    Standing,
    domains_with_counts,
    standings,
    stocks_with_domains,
    trouble,
)
from paperdesk.research.schemas import (
    DomainAnswer,
    DomainRanking,
    DomainRequest,
    OneRanking,
    Rankings,
    StockAnswer,
    StockRequest,
    best_of,
    ranking_of,
)
from paperdesk.research.stock_source import StockSource

router = slice_router(tags=["research"], changes=Scope.trade)

_SHOWN = 5


def _possible(name: str) -> str:
    if not name.isprintable():
        raise NotFound("There is no such domain. GET /api/domains lists them.")
    return name


_DomainInPath = Annotated[
    str,
    Path(max_length=128, description="The domain's name; its slashes stay as they are."),
    AfterValidator(_possible),
]
_Ticker = Annotated[str, Path(max_length=64)]
_Shown = Annotated[int, Query(ge=1, le=500, description="How many stocks.", examples=[5])]


@router.get(
    "/domains", response_model=list[DomainAnswer], responses=PAGED | problems(InvalidRequest)
)
async def read_domains(
    request: Request, session: Db, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List the domains in the order they were added. The Link header leads to the next page."""
    query = domains_with_counts()
    if (after := id_cursor(cursor)) is not None:
        query = query.where(Domain.id > after)
    rows: Any = (await session.execute(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [_domain_shown(*row) for row in shown],
        headers=next_link(request, last[0].id if last else None),
    )


@router.post(
    "/domains",
    status_code=201,
    response_model=DomainAnswer,
    responses={200: {"model": DomainAnswer, "description": "It was there already"}}
    | problems(*WITH_BODY),
)
async def add_domain(request: Request, body: DomainRequest, session: Db) -> Response:
    """Add a domain. Doing it again changes nothing and answers 200."""
    check_whole_desk(request.scope)
    market: Market = request.app.state.market
    domain, is_new = await service.add_domain(session, body.name, market.clock)
    counted: Any = await session.execute(domains_with_counts().where(Domain.id == domain.id))
    return Reply(_domain_shown(*counted.one()), 201 if is_new else 200)


@router.delete(
    "/domains/{domain:path}",
    status_code=204,
    responses=problems(InvalidRequest, NotFound, InvalidState),
)
async def remove_domain(request: Request, domain: _DomainInPath, session: Db) -> None:
    """Remove a domain that has no stocks."""
    check_whole_desk(request.scope)
    market: Market = request.app.state.market
    await service.remove_domain(session, domain, market.clock)


@router.get("/stocks", response_model=list[StockAnswer], responses=PAGED | problems(InvalidRequest))
async def read_stocks(
    request: Request,
    session: Db,
    domain: Annotated[Label | None, Query(description="Only those of this domain.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the stocks that are followed, by ticker. The Link header leads to the next page."""
    query = stocks_with_domains()
    if domain is not None:
        query = query.where(Domain.name == domain)
    if cursor is not None:
        if not TICKER.fullmatch(cursor):
            raise InvalidRequest("cursor: use the one from the Link header of the page before.")
        query = query.where(Stock.ticker > cursor)
    rows: Any = (await session.execute(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [_stock_shown(*row) for row in shown],
        headers=next_link(request, last[0].ticker if last else None),
    )


@router.post(
    "/stocks",
    status_code=201,
    response_model=StockAnswer,
    responses={200: {"model": StockAnswer, "description": "It was followed already"}}
    | problems(*WITH_BODY, NotFound, UnknownTicker),
)
async def put_stock(request: Request, body: StockRequest, session: Db) -> Response:
    """Follow a stock in a domain, or move one there. It is fetched within some seconds."""
    check_whole_desk(request.scope)
    market: Market = request.app.state.market
    ticker = parse_ticker(body.ticker)
    # One that is known but has no price yet may be followed all the same.
    with suppress(PriceUnavailable):
        await market.quote(ticker)
    followed = await service.put_stock(session, ticker, body.name, body.domain, market.clock)
    shown = _stock_shown(followed.stock, followed.domain.name)
    return Reply(shown, 201 if followed.is_new else 200)


@router.delete("/stocks/{ticker}", status_code=204, responses=problems(InvalidRequest, NotFound))
async def remove_stock(request: Request, ticker: _Ticker, session: Db) -> None:
    """Follow a stock no longer. Its scores go with it."""
    check_whole_desk(request.scope)
    market: Market = request.app.state.market
    await service.remove_stock(session, parse_ticker(ticker), market.clock)


@router.get("/rankings", response_model=Rankings)
async def read_rankings(request: Request, session: Db) -> Response:
    """Show the five best stocks of each domain, and the best of all, as they were last fetched."""
    source: StockSource = request.app.state.stock_source
    rankings = await _rankings(session, _SHOWN)
    fetched = [each.last_fetched for each in rankings if each.last_fetched]
    return Reply(
        Rankings(
            last_fetched=max(fetched, default=None),
            source=source.name,
            error=await trouble(session),
            best_overall=best_of(rankings),
            domains=rankings,
        )
    )


@router.get(
    "/rankings/{domain:path}",
    response_model=OneRanking,
    responses=problems(InvalidRequest, NotFound),
)
async def read_ranking(
    request: Request, session: Db, domain: _DomainInPath, limit: _Shown = _SHOWN
) -> Response:
    """Show the best stocks of a domain, and the best of all, as they were last fetched."""
    source: StockSource = request.app.state.stock_source
    await service.domain_named(session, domain)
    own = ranking_of(domain, await standings(session, domain), limit)
    best = best_of(await _rankings(session, 1))
    return Reply(
        OneRanking(
            **dict(own),
            source=source.name,
            error=await trouble(session),
            best_overall=best,
        )
    )


async def _rankings(session: Db, limit: int) -> list[DomainRanking]:
    """Return the ranking of each domain, in the order they were added."""
    by_domain: dict[str, list[Standing]] = {}
    for standing in await standings(session):
        by_domain.setdefault(standing.domain, []).append(standing)
    names = [domain.name for domain, _ in (await session.execute(domains_with_counts())).all()]
    return [ranking_of(name, by_domain.get(name, []), limit) for name in names]


def _domain_shown(domain: Domain, stocks: int) -> DomainAnswer:
    return DomainAnswer(id=domain.id, name=domain.name, stocks=stocks)


def _stock_shown(stock: Stock, domain: str) -> StockAnswer:
    return StockAnswer(
        ticker=stock.ticker,
        name=stock.name,
        domain_id=stock.domain_id,
        domain=domain,
        last_updated=stock.last_updated,
    )
