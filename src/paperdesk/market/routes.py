"""GET /api/prices, /api/prices/{ticker}, /api/prices/{ticker}/bars and /api/stream/prices."""

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    LATEST,
    PAGED,
    Bound,
    Cursor,
    Limit,
    check_span,
    next_link,
    number_cursor,
    page,
)
from paperdesk.api.problems import problems
from paperdesk.errors import InvalidRequest, PriceUnavailable, UnknownTicker
from paperdesk.market.bars import Bar, Timeframe
from paperdesk.market.feed import Market
from paperdesk.market.history import bars_of
from paperdesk.market.schemas import BarAnswer, PriceAnswer, price_written
from paperdesk.market.tickers import parse_ticker
from paperdesk.settings import Settings

router = slice_router(tags=["prices"])


@router.get("/prices", response_model=list[PriceAnswer])
async def read_prices(request: Request) -> Response:
    """List the last known price of every ticker that is priced, by ticker."""
    market: Market = request.app.state.market
    return Reply([price_written(quote) for quote in market.board.all()])


@router.get(
    "/prices/{ticker}",
    response_model=PriceAnswer,
    responses=problems(InvalidRequest, UnknownTicker, PriceUnavailable),
)
async def read_price(request: Request, ticker: str) -> Response:
    """Show the last known price of a ticker. One that is not priced yet is from now on."""
    market: Market = request.app.state.market
    return Reply(PriceAnswer.model_validate(await market.last_known(ticker)))


@router.get(
    "/prices/{ticker}/bars",
    response_model=list[BarAnswer],
    responses=PAGED | problems(InvalidRequest, UnknownTicker),
)
async def read_bars(
    request: Request,
    session: Db,
    ticker: str,
    timeframe: Timeframe = Timeframe.minute,
    start: Bound = None,
    end: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List bars that begin at `start` or later and before `end`, newest first.

    Minutes and hours are those of UTC, days those of the desk's time zone. The Link header leads
    to the next page.
    """
    market: Market = request.app.state.market
    settings: Settings = request.app.state.settings
    ticker = parse_ticker(ticker)
    check_span(start, end)
    page_begins = number_cursor(cursor)
    if page_begins is not None:
        top = datetime.fromtimestamp(min(page_begins, LATEST.timestamp()), UTC)
        end = min(top, end or top)
    # In an outage the bars of earlier are still worth showing.
    with suppress(PriceUnavailable):
        await market.last_known(ticker)
    bars = await bars_of(
        session,
        ticker,
        timeframe,
        ZoneInfo(settings.timezone),
        unsaved=market.bars.unsaved(ticker),
        since=start,
        before=end,
        limit=limit + 1,
    )
    shown, last = page(bars, limit)
    return Reply(
        [_answer(bar, timeframe) for bar in shown],
        headers=next_link(request, str(int(last.start.timestamp())) if last else None),
    )


@router.get(
    "/stream/prices",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-Sent Events: about twice a second every priced ticker, by name.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def stream_prices(request: Request) -> Response:
    """Follow all prices. A client that is slow gets fewer events, and always the newest."""
    market: Market = request.app.state.market
    return StreamingResponse(
        market.stream.subscribe(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _answer(bar: Bar, timeframe: Timeframe) -> BarAnswer:
    return BarAnswer(
        ticker=bar.ticker,
        timeframe=timeframe,
        start=bar.start,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
    )
