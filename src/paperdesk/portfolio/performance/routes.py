"""GET /api/portfolio/performance."""

from contextlib import suppress
from typing import Annotated, Final

from fastapi import Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.pages import Bound
from paperdesk.api.problems import problems
from paperdesk.errors import InvalidRequest, NotFound, PriceUnavailable, UnknownTicker
from paperdesk.market.feed import Market
from paperdesk.market.quotes import parse_ticker
from paperdesk.portfolio.history import Range, span_of
from paperdesk.portfolio.performance.schemas import PerformanceAnswer, performance_fields
from paperdesk.portfolio.performance.service import Asked, Performance
from paperdesk.users.access import Account

router = slice_router(prefix="/api/portfolio", tags=["portfolio"])

_Ticker = Annotated[str | None, Query(max_length=64)]
_Label = Annotated[Label | None, Query()]

_TAKEN: Final = ("range", "start", "end", "ticker", "source", "strategy", "benchmark", "account")


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
    if unknown := sorted(set(request.query_params) - set(_TAKEN)):
        # A misspelt filter would be answered with the figures of something else.
        raise InvalidRequest(f"{unknown[0]}: is not a parameter of this request; leave it out.")
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
