"""POST /api/orders/batch."""

from collections.abc import Iterator
from typing import Final

from fastapi import Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.parameters import LONGEST, documented
from paperdesk.api.problems import WITH_BODY, problem_of, problems, unforeseen
from paperdesk.errors import Busy, InvalidRequest, NotFound, PaperdeskError, UnknownOutcome
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.ledger.schemas import TradeAnswer
from paperdesk.market.feed import Market
from paperdesk.market.quotes import parse_ticker
from paperdesk.orders.market_order import Filled, MarketOrder
from paperdesk.orders.placing import place_all
from paperdesk.orders.schemas import (
    BatchAnswer,
    BatchRequest,
    OrderAnswer,
    OrderRequest,
    OrderResult,
)
from paperdesk.users.access import current_account

router = slice_router(prefix="/api/orders", tags=["orders"])

SOURCE: Final = "api"
BATCH_PATH: Final = "/api/orders/batch"
BATCH_BODY_LIMIT: Final = 1024 * 1024
_LONGEST_KEY: Final = LONGEST - len(":499")


@router.post(
    "/batch",
    response_model=BatchAnswer,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(200) | problems(*WITH_BODY, NotFound),
)
async def place_batch(request: Request, body: BatchRequest) -> Response:
    """Book up to 500 market orders in their sequence, each on its own.

    The answer comes after the bookings are durable. An order that is refused, or is not valid,
    spoils no other. With keys the request may be sent again: what was booked gets its first result,
    what was refused is tried once more. An Idempotency-Key stands for `<key>:<n>` of each order
    without a `client_order_id`, n being its place, from 0.
    """
    market: Market = request.app.state.market
    ledger: Ledger = request.app.state.ledger
    key = only_key(request)
    if key is not None and len(key) > _LONGEST_KEY:
        raise InvalidRequest(
            f"The Idempotency-Key of a batch has at most {_LONGEST_KEY} characters."
        )
    account = await current_account(request)
    orders = [
        _order(row, account, market, f"{key}:{n}" if key is not None else None)
        for n, row in enumerate(body.orders)
    ]
    understood = [order for order in orders if isinstance(order, MarketOrder)]
    placed = await place_all(market, ledger, understood)
    if placed and all(isinstance(outcome, Busy) for outcome in placed):
        raise Busy("The desk cannot take orders now. Nothing was booked; ask again shortly.")
    outcomes: Iterator[Booked[Filled] | BaseException] = iter(placed)
    results = [
        _result(next(outcomes) if isinstance(order, MarketOrder) else order) for order in orders
    ]
    headers = replay_headers(replayed=all(result.replayed for result in results))
    if any(isinstance(outcome, Busy) for outcome in placed):
        headers["Retry-After"] = str(Busy.retry_after)
    return Reply(BatchAnswer(results=results), headers=headers)


def _order(
    row: OrderRequest | InvalidRequest, account: str, market: Market, derived_key: str | None
) -> MarketOrder | InvalidRequest:
    """Return the command for a row, or why there is none."""
    if isinstance(row, InvalidRequest):
        return row
    try:
        ticker = parse_ticker(row.ticker)
    except InvalidRequest as refusal:
        return refusal
    return MarketOrder(
        account_id=account,
        ticker=ticker,
        side=row.side,
        quantity=row.quantity,
        notional=row.notional,
        source=SOURCE,
        board=market.board,
        clock=market.clock,
        client_order_id=row.client_order_id or derived_key,
        strategy=row.strategy,
        note=row.note,
    )


def _result(outcome: Booked[Filled] | BaseException) -> OrderResult:
    if isinstance(outcome, Booked):
        filled = outcome.result
        return OrderResult(
            status="filled",
            replayed=filled.replayed,
            order=OrderAnswer.model_validate(filled.order),
            trade=TradeAnswer.model_validate(filled.trade),
        )
    if not isinstance(outcome, Exception):
        raise outcome
    error = outcome if isinstance(outcome, PaperdeskError) else unforeseen(outcome)
    status = "unknown" if isinstance(error, UnknownOutcome) else "refused"
    return OrderResult(status=status, problem=problem_of(error))
