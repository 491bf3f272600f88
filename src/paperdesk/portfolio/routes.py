"""GET /api/portfolio, its history, and POST /api/portfolio/trade."""

from typing import Annotated

from fastapi import Query, Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.pages import Bound
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope
from paperdesk.errors import (
    InvalidRequest,
    NotFound,
)
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.schemas import trade_fields
from paperdesk.market.feed import Market
from paperdesk.market.tickers import parse_ticker
from paperdesk.orders.commands.place_order import PlaceOrder, Sender
from paperdesk.orders.placing import place, why_unpriced
from paperdesk.orders.routes import REFUSED, SOURCE
from paperdesk.orders.terms import Terms
from paperdesk.portfolio import history as curves
from paperdesk.portfolio.schemas import (
    PortfolioAfterTrade,
    PortfolioAnswer,
    SnapshotAnswer,
    TradeRequest,
    portfolio_fields,
)
from paperdesk.portfolio.statement import Statements
from paperdesk.users.access import Account, current_account

router = slice_router(prefix="/api/portfolio", tags=["portfolio"], changes=Scope.trade)

DEFAULT_POINTS = 500


@router.get(
    "",
    response_model=PortfolioAnswer,
    openapi_extra=documented(current_account),
    responses=problems(InvalidRequest, NotFound),
)
async def read_portfolio(request: Request) -> Response:
    """Show cash, positions and what they are worth at the latest prices."""
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    statements: Statements = request.app.state.statements
    account = await ledger.account(await current_account(request))
    return Reply(portfolio_fields(statements.of(account), market.clock.now()))


@router.post(
    "/trade",
    response_model=PortfolioAfterTrade,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(200) | problems(*WITH_BODY, *REFUSED),
)
async def trade(request: Request, body: TradeRequest) -> Response:
    """Buy or sell at the current price. The answer comes after the booking is durable.

    With a key the request may be sent again: it gets the first trade, and books nothing.
    """
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    order = PlaceOrder(
        Sender(
            await current_account(request),
            SOURCE,
            only_key(request, body.client_order_id),
            body.strategy,
            body.note,
        ),
        Terms(parse_ticker(body.ticker), body.side, quantity=body.quantity),
        request.app.state.venue,
        whole=True,
    )
    booked = await place(ledger, order, await why_unpriced(market, order.terms.ticker))
    statements: Statements = request.app.state.statements
    answer = portfolio_fields(statements.of(booked.account), market.clock.now())
    answer["trade"] = trade_fields(booked.result.trade)
    return Reply(answer, headers=replay_headers(replayed=booked.result.replayed))


@router.get(
    "/history",
    response_model=list[SnapshotAnswer],
    responses=problems(InvalidRequest, NotFound),
)
async def read_history(
    request: Request,
    session: Db,
    account: Account,
    span: Annotated[curves.Range | None, Query(alias="range")] = None,
    start: Bound = None,
    end: Bound = None,
    points: Annotated[int, Query(ge=2, le=2000)] = DEFAULT_POINTS,
) -> Response:
    """Show the curve of the account's value, oldest first, thinned to `points`.

    `range` is all if it is left out; or give `start` and `end` (excluded) instead.
    """
    market: Market = request.app.state.market
    start, end = curves.span_of(span, start, end, market.clock.now())
    rows = await curves.history(session, account, start=start, end=end, points=points)
    return Reply([SnapshotAnswer.model_validate(row) for row in rows])
