"""POST /api/corporate-actions: splits, dividends, changes of symbol, spin-offs."""

import asyncio

from fastapi import Request, Response
from sqlalchemy import select, union

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problem_of, problems, unforeseen
from paperdesk.api.scopes import Scope, check_whole_desk
from paperdesk.clock import Clock
from paperdesk.corporate.booking import Acted
from paperdesk.corporate.schemas import (
    ActionAnswer,
    ActionRequest,
    ActionResult,
    action_result,
)
from paperdesk.db.engine import Database
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InsufficientShares,
    InvalidState,
    NotFound,
    PaperdeskError,
    UnknownOutcome,
)
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import Order, Position
from paperdesk.users.access import current_account

router = slice_router(
    prefix="/api/corporate-actions", tags=["corporate actions"], changes=Scope.admin
)


@router.post(
    "",
    response_model=ActionAnswer,
    openapi_extra=documented(current_account),
    responses=problems(
        *WITH_BODY,
        NotFound,
        InsufficientCash,
        InsufficientShares,
        IdempotencyMismatch,
        InvalidState,
        UnknownOutcome,
    ),
)
async def book_action(request: Request, body: ActionRequest) -> Response:
    """Book a corporate action, once under its key; open orders go on with what it makes of them.

    With `every_account` each account that it concerns has a result of its own.
    """
    asked = body.root
    clock: Clock = request.app.state.desk.clock
    ledger: Ledger = request.app.state.ledger
    account = await current_account(request)
    if not asked.every_account:
        command = asked.command(asked.notice(account, clock.now()))
        acted = (await ledger.submit(command)).result
        return Reply(ActionAnswer(results=[action_result(account, acted)]))
    check_whole_desk(request.scope)
    accounts = await _concerned(request.app.state.database, parse_ticker(asked.ticker))
    commands = [asked.command(asked.notice(each, clock.now())) for each in accounts]
    outcomes = await asyncio.gather(*map(ledger.submit, commands), return_exceptions=True)
    results = [_result(*each) for each in zip(accounts, outcomes, strict=True)]
    return Reply(ActionAnswer(results=results))


async def _concerned(database: Database, ticker: str) -> list[str]:
    """Return the accounts that hold a ticker, or have open orders for it."""
    async with database.read() as session:
        query = union(
            select(Position.user_id).where(Position.ticker == ticker),
            select(Order.user_id).where(Order.ticker == ticker, Order.closed_at.is_(None)),
        )
        return sorted(await session.scalars(query))


def _result(account: str, outcome: Booked[Acted] | BaseException) -> ActionResult:
    if isinstance(outcome, Booked):
        return action_result(account, outcome.result)
    if not isinstance(outcome, Exception):
        raise outcome
    error = outcome if isinstance(outcome, PaperdeskError) else unforeseen(outcome)
    status = "unknown" if isinstance(error, UnknownOutcome) else "refused"
    return ActionResult(
        account=account,
        status=status,
        trades=[],
        orders=[],
        canceled=[],
        problem=problem_of(error),
    )
