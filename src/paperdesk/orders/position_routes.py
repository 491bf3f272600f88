"""The routes that close positions."""

import asyncio
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope
from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.market.feed import Market
from paperdesk.market.tickers import parse_ticker
from paperdesk.orders.commands.close_position import ClosePosition
from paperdesk.orders.commands.place_order import Sender
from paperdesk.orders.placing import why_unpriced
from paperdesk.orders.routes import REFUSED, SOURCE, order_result
from paperdesk.orders.schemas import (
    BatchAnswer,
    CloseRequest,
    PlacedAnswer,
    placed_answer,
)
from paperdesk.users.access import Account

router = slice_router(prefix="/api/positions", tags=["orders"], changes=Scope.trade)

NOTHING_SAID: Final = CloseRequest()

_Ticker = Annotated[str, Path(max_length=64, examples=["AAPL"])]


@router.post(
    "/{ticker}/close",
    response_model=PlacedAnswer,
    openapi_extra=documented(only_key),
    responses=replayable(200) | problems(*WITH_BODY, *REFUSED),
)
async def close_position(
    request: Request, account: Account, ticker: _Ticker, body: CloseRequest = NOTHING_SAID
) -> Response:
    """Close a position, or a part of it, at the market; the order that does is the answer.

    No body closes all of it. Outside market hours the order waits for the market to open.
    """
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    name = parse_ticker(ticker)
    key = only_key(request, body.client_order_id)
    command = ClosePosition(
        Sender(account, SOURCE, key, body.strategy, body.note),
        name,
        request.app.state.venue,
        body.quantity,
        body.percent,
        body.cancel_orders,
        None if body.lots is None else tuple(body.lots),
    )
    await why_unpriced(market, name)
    placed = (await ledger.submit(command)).result
    return Reply(
        placed_answer(placed.order, placed.legs),
        headers=replay_headers(replayed=placed.replayed),
    )


@router.delete("", response_model=BatchAnswer, responses=problems(InvalidRequest, NotFound))
async def close_positions(
    request: Request,
    account: Account,
    *,
    cancel_orders: Annotated[
        bool, Query(description="Cancel the open orders that would close them first")
    ] = False,
) -> Response:
    """Close every position at the market, each on its own; a result for each, by ticker."""
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    tickers = [position.ticker for position in (await ledger.account(account)).positions]
    await asyncio.gather(*(why_unpriced(market, ticker) for ticker in tickers))
    outcomes = await asyncio.gather(
        *(
            ledger.submit(
                ClosePosition(
                    Sender(account, SOURCE),
                    ticker,
                    request.app.state.venue,
                    cancel_orders=cancel_orders,
                )
            )
            for ticker in tickers
        ),
        return_exceptions=True,
    )
    return Reply(BatchAnswer(results=[order_result(outcome) for outcome in outcomes]))
