"""GET /api/portfolio/performance, and what each source or strategy made."""

from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.pages import Bound
from paperdesk.api.problems import problems
from paperdesk.errors import InvalidRequest, NotFound, PriceUnavailable, UnknownTicker
from paperdesk.market.feed import Market
from paperdesk.market.tickers import parse_ticker
from paperdesk.portfolio.history import Range, span_of
from paperdesk.portfolio.performance.parts import SOURCE, STRATEGY
from paperdesk.portfolio.performance.schemas import (
    AttributionAnswer,
    PerformanceAnswer,
    attribution_fields,
    performance_fields,
)
from paperdesk.portfolio.performance.service import Asked, Performance
from paperdesk.users.access import Account

router = slice_router(prefix="/api/portfolio", tags=["portfolio"])

_Ticker = Annotated[str | None, Query(max_length=64)]
_Label = Annotated[Label | None, Query()]


class By(StrEnum):
    """What tells the parts of an account apart."""

    strategy = "strategy"
    source = "source"


_COLUMNS: Final = {By.strategy: STRATEGY, By.source: SOURCE}


@router.get(
    "/performance",
    response_model=PerformanceAnswer,
    responses=problems(InvalidRequest, NotFound, UnknownTicker),
)
async def read_performance(
    request: Request,
    account: Account,
    span: Annotated[Range | None, Query(alias="range")] = None,
    start: Bound = None,
    end: Bound = None,
    ticker: _Ticker = None,
    source: _Label = None,
    strategy: _Label = None,
    benchmark: _Ticker = None,
) -> Response:
    """Show returns, risk, profit and what each ticker contributed, over a range.

    It begins with the account, or when that was last reset, if nothing is said; `range=all` is all
    of its history. Or give `start` and `end` (excluded) instead of `range`. `ticker`,
    `source` and `strategy` choose a part of the account; `benchmark` is a ticker to compare with.
    """
    market: Market = request.app.state.market
    chapter = span is None and start is None and end is None
    start, end = span_of(span, start, end, market.clock.now())
    performance: Performance = request.app.state.performance
    beside = parse_ticker(benchmark) if benchmark is not None else None
    if beside is not None:
        # In an outage its prices of earlier are still worth comparing with.
        with suppress(PriceUnavailable):
            await market.last_known(beside)
    asked = Asked(
        start,
        end,
        parse_ticker(ticker) if ticker is not None else None,
        source,
        strategy,
        beside,
        chapter,
    )
    return Reply(performance_fields(await performance.of(account, asked), beside))


@router.get(
    "/attribution",
    response_model=AttributionAnswer,
    responses=problems(InvalidRequest, NotFound),
)
async def read_attribution(
    request: Request,
    account: Account,
    by: Annotated[By, Query()],
    span: Annotated[Range | None, Query(alias="range")] = None,
    start: Bound = None,
    end: Bound = None,
) -> Response:
    """Show what each strategy, or each source of trades, made over a range.

    The profits of all parts and of the rest, which belongs to no trade, add up to that of the
    account. The range is said as for its performance.
    """
    market: Market = request.app.state.market
    chapter = span is None and start is None and end is None
    start, end = span_of(span, start, end, market.clock.now())
    performance: Performance = request.app.state.performance
    asked = Asked(start, end, chapter=chapter)
    told = await performance.by(account, _COLUMNS[by], asked)
    return Reply(attribution_fields(told, by.value))
