"""GET, POST and DELETE /api/watchlist."""

from contextlib import suppress

from fastapi import Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope
from paperdesk.errors import InvalidRequest, NotFound, PriceUnavailable, UnknownTicker
from paperdesk.market.feed import Market
from paperdesk.market.quotes import QuoteBoard
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import WatchlistEntry
from paperdesk.users.access import Account
from paperdesk.watchlist import service
from paperdesk.watchlist.schemas import WatchedTicker, WatchRequest

router = slice_router(tags=["watchlist"], changes=Scope.trade)


def shown(entry: WatchlistEntry, board: QuoteBoard) -> WatchedTicker:
    """Return an entry with the last known price of its ticker."""
    quote = board.latest(entry.ticker)
    return WatchedTicker(
        ticker=entry.ticker,
        price=quote and quote.price,
        previous_price=quote and quote.previous_price,
        change=quote and quote.change,
        change_percent=quote and quote.change_percent,
        added_at=entry.added_at,
    )


@router.get(
    "/watchlist",
    response_model=list[WatchedTicker],
    responses=problems(NotFound, InvalidRequest),
)
async def read_watchlist(request: Request, session: Db, account: Account) -> Response:
    """List the watched tickers with their prices, in the order they were added."""
    market: Market = request.app.state.market
    rows = await service.entries(session, account)
    return Reply([shown(entry, market.board) for entry in rows])


@router.post(
    "/watchlist",
    status_code=201,
    response_model=WatchedTicker,
    responses={200: {"model": WatchedTicker, "description": "It was on the list already"}}
    | problems(*WITH_BODY, NotFound, UnknownTicker),
)
async def watch(request: Request, body: WatchRequest, session: Db, account: Account) -> Response:
    """Put a ticker on the watchlist. Doing it again changes nothing and answers 200."""
    market: Market = request.app.state.market
    ticker = parse_ticker(body.ticker)
    # One that is known but has no price yet may be watched all the same.
    with suppress(PriceUnavailable):
        await market.quote(ticker)
    entry, is_new = await service.add(session, account, ticker, market.clock)
    return Reply(shown(entry, market.board), 201 if is_new else 200)


@router.delete("/watchlist/{ticker}", status_code=204, responses=problems(InvalidRequest, NotFound))
async def unwatch(request: Request, ticker: str, session: Db, account: Account) -> None:
    """Take a ticker off the watchlist."""
    market: Market = request.app.state.market
    await service.remove(session, account, parse_ticker(ticker), market.clock)
