"""GET /api/trades."""

from typing import Annotated

from fastapi import Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Bound,
    Cursor,
    Limit,
    next_link,
    number_cursor,
    page,
)
from paperdesk.api.problems import problems
from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.ledger.queries import trades_of
from paperdesk.ledger.schemas import JournalTrade
from paperdesk.market.quotes import parse_ticker
from paperdesk.models import Side
from paperdesk.users.access import Account

router = slice_router(tags=["trades"])


@router.get(
    "/trades",
    response_model=list[JournalTrade],
    responses=PAGED | problems(InvalidRequest, NotFound),
)
async def read_trades(
    request: Request,
    session: Db,
    account: Account,
    ticker: Annotated[str | None, Query(max_length=64)] = None,
    side: Side | None = None,
    source: Annotated[Label | None, Query()] = None,
    strategy: Annotated[Label | None, Query()] = None,
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List trades, the last booked first. The Link header leads to the next page."""
    query = trades_of(
        account,
        ticker=parse_ticker(ticker) if ticker is not None else None,
        side=side,
        source=source,
        strategy=strategy,
        since=since,
        until=until,
        before=number_cursor(cursor),
    )
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [JournalTrade.model_validate(row) for row in shown],
        headers=next_link(request, str(last.sequence) if last else None),
    )
