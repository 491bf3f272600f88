"""GET /api/trades, /api/cash and /api/journal, and POST /api/cash."""

from typing import Annotated

from fastapi import Query, Request, Response

from paperdesk.api.codec import Label, Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.idempotency import only_key, replay_headers, replayable
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
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope
from paperdesk.clock import Clock
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InvalidRequest,
    NotFound,
    UnknownOutcome,
)
from paperdesk.ledger.cash import MoveCash
from paperdesk.ledger.history import JournalTable, Wanted, entries_of, hashes_before
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.queries import Span, movements_of, trades_of
from paperdesk.ledger.schemas import (
    CashAnswer,
    CashRequest,
    JournalEntry,
    JournalMovement,
    JournalTrade,
    journal_entry,
)
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import CashMovementKind, Side
from paperdesk.users.access import Account, current_account

router = slice_router(tags=["ledger"], changes=Scope.admin)

_Ticker = Annotated[str | None, Query(max_length=64)]
_Label = Annotated[Label | None, Query()]


@router.get(
    "/trades",
    response_model=list[JournalTrade],
    responses=PAGED | problems(InvalidRequest, NotFound),
)
async def read_trades(
    request: Request,
    session: Db,
    account: Account,
    ticker: _Ticker = None,
    side: Side | None = None,
    source: _Label = None,
    strategy: _Label = None,
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List trades, the last booked first. The Link header leads to the next page."""
    query = trades_of(
        account,
        Span(since, until, number_cursor(cursor)),
        ticker=parse_ticker(ticker) if ticker is not None else None,
        side=side,
        source=source,
        strategy=strategy,
    )
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [JournalTrade.model_validate(row) for row in shown],
        headers=next_link(request, str(last.sequence) if last else None),
    )


@router.get(
    "/cash",
    response_model=list[JournalMovement],
    responses=PAGED | problems(InvalidRequest, NotFound),
)
async def read_cash(
    request: Request,
    session: Db,
    account: Account,
    kind: CashMovementKind | None = None,
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List deposits, withdrawals and what else moved cash without a trade, the last booked first.

    The Link header leads to the next page.
    """
    query = movements_of(account, Span(since, until, number_cursor(cursor)), kind=kind)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [JournalMovement.model_validate(row) for row in shown],
        headers=next_link(request, str(last.sequence) if last else None),
    )


@router.post(
    "/cash",
    status_code=201,
    response_model=CashAnswer,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(201)
    | problems(*WITH_BODY, NotFound, InsufficientCash, IdempotencyMismatch, UnknownOutcome),
)
async def move_cash(request: Request, body: CashRequest) -> Response:
    """Deposit or withdraw cash. The answer comes after the booking is durable.

    With a key the request may be sent again: it gets the first movement, and books nothing.
    """
    ledger: Ledger = request.app.state.ledger
    clock: Clock = request.app.state.desk.clock
    booked = await ledger.submit(
        MoveCash(
            account_id=await current_account(request),
            kind=CashMovementKind(body.kind),
            amount=body.amount,
            clock=clock,
            key=only_key(request),
            note=body.note,
        )
    )
    movement = booked.result.movement
    answer = CashAnswer(
        id=movement.id,
        kind=body.kind,
        amount=abs(movement.amount),
        cash_balance=booked.account.cash_balance,
        created_at=movement.created_at,
    )
    return Reply(answer, 201, headers=replay_headers(replayed=booked.result.replayed))


@router.get(
    "/journal",
    response_model=list[JournalEntry],
    responses=PAGED | problems(InvalidRequest, NotFound),
)
async def read_journal(
    request: Request,
    session: Db,
    account: Account,
    table: JournalTable | None = None,
    ticker: _Ticker = None,
    side: Side | None = None,
    source: _Label = None,
    strategy: _Label = None,
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List every entry of the journal with its hash, the last booked first.

    An entry that has no ticker, side, source or strategy is left out where that is asked for. The
    Link header leads to the next page.
    """
    wanted = Wanted(
        Span(since, until, number_cursor(cursor)),
        table=table,
        ticker=parse_ticker(ticker) if ticker is not None else None,
        side=side,
        source=source,
        strategy=strategy,
    )
    entries, last = page(await entries_of(session, account, wanted, limit + 1), limit)
    before = await hashes_before(session, account, entries)
    return Reply(
        [journal_entry(entry, before.get(entry.sequence)) for entry in entries],
        headers=next_link(request, str(last.sequence) if last else None),
    )
