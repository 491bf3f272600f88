"""The routes under /api/orders."""

from collections.abc import Iterator
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.ids import PathId
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Bound,
    Cursor,
    Limit,
    check_span,
    id_cursor,
    next_link,
    page,
)
from paperdesk.api.parameters import LONGEST, documented
from paperdesk.api.problems import WITH_BODY, problem_of, problems, unforeseen
from paperdesk.api.scopes import Scope
from paperdesk.errors import (
    Busy,
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidRequest,
    InvalidState,
    NotFound,
    PaperdeskError,
    PriceUnavailable,
    UnknownOutcome,
    UnknownTicker,
)
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.ledger.queries import Span
from paperdesk.ledger.schemas import TradeAnswer
from paperdesk.market.feed import Market
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import OrderType, Side
from paperdesk.orders.commands.cancel_orders import CancelOrder, CancelOrders
from paperdesk.orders.commands.place_order import Placed, PlaceOrder, Sender
from paperdesk.orders.commands.replace_order import Changes, ReplaceOrder
from paperdesk.orders.placing import place, place_all, why_unpriced
from paperdesk.orders.queries import Standing, Wanted, linked_with, order_of, orders_of
from paperdesk.orders.schemas import (
    BatchAnswer,
    BatchRequest,
    OrderAnswer,
    OrderRequest,
    OrderResult,
    PlacedAnswer,
    ReplaceRequest,
    placed_answer,
)
from paperdesk.orders.venue import Venue
from paperdesk.users.access import Account, current_account

router = slice_router(prefix="/api/orders", tags=["orders"], changes=Scope.trade)

SOURCE: Final = "api"
BATCH_PATH: Final = "/api/orders/batch"
BATCH_BODY_LIMIT: Final = 1024 * 1024
_LONGEST_KEY: Final = LONGEST - len(":499")

REFUSED: Final = (
    NotFound,
    UnknownTicker,
    InsufficientCash,
    InsufficientShares,
    PriceUnavailable,
    IdempotencyMismatch,
    InvalidState,
    UnknownOutcome,
)
"""What an order may be refused with."""

OrderId = Annotated[PathId, Path(max_length=64, description="The order's id")]
_Ticker = Annotated[str | None, Query(max_length=64)]
_Label = Annotated[Label | None, Query()]


@router.get(
    "",
    response_model=list[OrderAnswer],
    responses=PAGED | problems(InvalidRequest, NotFound),
)
async def read_orders(
    request: Request,
    session: Db,
    account: Account,
    status: Standing = Standing.all,
    ticker: _Ticker = None,
    side: Side | None = None,
    type: OrderType | None = None,  # noqa: A002 - the name of the parameter
    source: _Label = None,
    strategy: _Label = None,
    client_order_id: _Label = None,
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List orders, the last placed first. The Link header leads to the next page."""
    check_span(since, until)
    wanted = Wanted(
        Span(since, until),
        status,
        parse_ticker(ticker) if ticker is not None else None,
        side,
        type,
        source,
        strategy,
        client_order_id,
    )
    query = orders_of(account, wanted, id_cursor(cursor))
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [OrderAnswer.model_validate(row) for row in shown],
        headers=next_link(request, last.id if last else None),
    )


@router.post(
    "",
    status_code=201,
    response_model=PlacedAnswer,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(201) | problems(*WITH_BODY, *REFUSED),
)
async def place_order(request: Request, body: OrderRequest) -> Response:
    """Place an order: filled now as far as it can be, else it rests until its price comes.

    The answer comes after that is durable. With a key the request may be sent again: it gets the
    order as it is now, and places nothing.
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
        body.terms(),
        request.app.state.venue,
    )
    booked = await place(ledger, order, await why_unpriced(market, order.terms.ticker))
    return _placed(booked.result)


@router.post(
    "/batch",
    response_model=BatchAnswer,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(200) | problems(*WITH_BODY, NotFound),
)
async def place_batch(request: Request, body: BatchRequest) -> Response:
    """Place up to 500 orders in their sequence, each on its own.

    The answer comes after the bookings are durable. An order that is refused, or is not valid,
    spoils no other. With keys the request may be sent again: what was placed gets its first result,
    what was refused is tried once more. An Idempotency-Key stands for `<key>:<n>` of each order
    without a `client_order_id`, n being its place, from 0.
    """
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    venue: Venue = request.app.state.venue
    key = only_key(request)
    if key is not None and len(key) > _LONGEST_KEY:
        raise InvalidRequest(
            f"The Idempotency-Key of a batch has at most {_LONGEST_KEY} characters."
        )
    account = await current_account(request)
    orders = [
        _order(row, account, venue, f"{key}:{n}" if key is not None else None)
        for n, row in enumerate(body.orders)
    ]
    understood = [order for order in orders if isinstance(order, PlaceOrder)]
    placed = await place_all(market, ledger, understood)
    if placed and all(isinstance(outcome, Busy) for outcome in placed):
        raise Busy("The desk cannot take orders now. Nothing was booked; ask again shortly.")
    outcomes: Iterator[Booked[Placed] | BaseException] = iter(placed)
    results = [
        order_result(next(outcomes) if isinstance(order, PlaceOrder) else order) for order in orders
    ]
    headers = replay_headers(replayed=all(result.replayed for result in results))
    if any(isinstance(outcome, Busy) for outcome in placed):
        headers["Retry-After"] = str(Busy.retry_after)
    return Reply(BatchAnswer(results=results), headers=headers)


@router.delete(
    "",
    response_model=list[OrderAnswer],
    responses=problems(InvalidRequest, NotFound, UnknownOutcome),
)
async def cancel_orders(
    request: Request, account: Account, ticker: _Ticker = None, side: Side | None = None
) -> Response:
    """Cancel every open order, of one ticker or side if so wished, and list them."""
    ledger: Ledger = request.app.state.ledger
    booked = await ledger.submit(
        CancelOrders(
            account,
            request.app.state.market.clock,
            parse_ticker(ticker) if ticker is not None else None,
            side,
        )
    )
    return Reply([OrderAnswer.model_validate(order) for order in booked.result])


@router.get(
    "/{order_id}", response_model=PlacedAnswer, responses=problems(InvalidRequest, NotFound)
)
async def read_order(session: Db, account: Account, order_id: OrderId) -> Response:
    """Show an order with those that are linked to it."""
    order = await session.scalar(order_of(account, order_id))
    if order is None:
        raise NotFound("There is no such order.")
    legs = await session.scalars(linked_with(order)) if order.group_id else ()
    return Reply(placed_answer(order, legs))


@router.patch(
    "/{order_id}",
    response_model=PlacedAnswer,
    openapi_extra=documented(only_key),
    responses=replayable(200) | problems(*WITH_BODY, *REFUSED),
)
async def replace_order(
    request: Request, account: Account, order_id: OrderId, body: ReplaceRequest
) -> Response:
    """Put a new order in the place of an open one, which becomes `replaced`; both or neither.

    The answer is the new order, with its own id.
    """
    ledger: Ledger = request.app.state.ledger
    booked = await ledger.submit(
        ReplaceOrder(
            account,
            order_id,
            Changes(
                body.quantity, body.limit_price, body.stop_price, body.trail, body.time_in_force
            ),
            request.app.state.venue,
            only_key(request, body.client_order_id),
        )
    )
    return _placed(booked.result, 200)


@router.delete(
    "/{order_id}",
    response_model=OrderAnswer,
    responses=problems(InvalidRequest, NotFound, InvalidState, UnknownOutcome),
)
async def cancel_order(request: Request, account: Account, order_id: OrderId) -> Response:
    """Cancel an open order, and show it; what was filled of it stays."""
    ledger: Ledger = request.app.state.ledger
    clock = request.app.state.market.clock
    booked = await ledger.submit(CancelOrder(account, order_id, clock))
    return Reply(OrderAnswer.model_validate(booked.result))


def _placed(placed: Placed, status: int = 201) -> Response:
    return Reply(
        placed_answer(placed.order, placed.legs),
        status,
        headers=replay_headers(replayed=placed.replayed),
    )


def _order(
    row: OrderRequest | InvalidRequest, account: str, venue: Venue, derived_key: str | None
) -> PlaceOrder | InvalidRequest:
    """Return the command for a row, or why there is none."""
    if isinstance(row, InvalidRequest):
        return row
    key = row.client_order_id or derived_key
    try:
        terms = row.terms()
    except InvalidRequest as refusal:
        return refusal
    return PlaceOrder(Sender(account, SOURCE, key, row.strategy, row.note), terms, venue)


def order_result(outcome: Booked[Placed] | BaseException) -> OrderResult:
    """Return what came of one of several orders; raises what is no answer to anybody."""
    if isinstance(outcome, Booked):
        placed = outcome.result
        return OrderResult(
            status="filled" if placed.order.status == "filled" else "placed",
            replayed=placed.replayed,
            order=placed_answer(placed.order, placed.legs),
            trade=TradeAnswer.model_validate(placed.trades[0]) if placed.trades else None,
        )
    if not isinstance(outcome, Exception):
        raise outcome
    error = outcome if isinstance(outcome, PaperdeskError) else unforeseen(outcome)
    status = "unknown" if isinstance(error, UnknownOutcome) else "refused"
    return OrderResult(status=status, problem=problem_of(error))
