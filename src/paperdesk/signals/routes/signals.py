"""The routes under /api/signals: the inbox, what became of it, and replays."""

from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.ids import IdIn, PathId
from paperdesk.api.pages import (
    DEFAULT_LIMIT,
    PAGED,
    Bound,
    Cursor,
    Limit,
    check_span,
    next_link,
    number_cursor,
    page,
)
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_scope
from paperdesk.audit.trail import Action, Line, note
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, InvalidRequest, InvalidState, NotFound, UnknownOutcome
from paperdesk.events.feed import Feed
from paperdesk.market.tickers import parse_ticker
from paperdesk.models import Signal, SignalStatus, Webhook
from paperdesk.signals.arriving import Stored
from paperdesk.signals.queries import Wanted, signal_of, signals_of
from paperdesk.signals.reading.model import as_kept
from paperdesk.signals.replaying import MOST, replay
from paperdesk.signals.schemas import ReplayRequest, SignalAnswer
from paperdesk.signals.telling import event_of
from paperdesk.users.access import Account, current_account

router = slice_router(prefix="/api/signals", tags=["signals"], changes=Scope.webhook)

_Id = Annotated[PathId, Path(max_length=64, description="The signal's id, 64 hex characters")]
_DECIDED: Final = problems(InvalidRequest, NotFound, InvalidState, Busy)


@router.get(
    "", response_model=list[SignalAnswer], responses=PAGED | problems(InvalidRequest, NotFound)
)
async def read_signals(
    request: Request,
    session: Db,
    account: Account,
    status: SignalStatus | None = None,
    webhook_id: Annotated[IdIn | None, Query()] = None,
    ticker: Annotated[str | None, Query(max_length=64)] = None,
    processed: bool | None = None,  # noqa: FBT001 - a parameter of the query
    since: Bound = None,
    until: Bound = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the account's signals, the last received first. The Link header leads on."""
    check_span(since, until)
    wanted = Wanted(
        since,
        until,
        status,
        webhook_id,
        parse_ticker(ticker) if ticker is not None else None,
        processed,
    )
    query = signals_of(account, wanted).order_by(Signal.id.desc())
    if (before := number_cursor(cursor)) is not None:
        query = query.where(Signal.id < before)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [_shown(row) for row in shown],
        headers=next_link(request, str(last.id) if last else None),
    )


@router.get(
    "/{signal_id}", response_model=SignalAnswer, responses=problems(InvalidRequest, NotFound)
)
async def read_signal(session: Db, account: Account, signal_id: _Id) -> Response:
    """Show a signal: as it came, what was understood, and what became of it."""
    return Reply(_shown(await signal_of(session, account, signal_id)))


@router.post("/{signal_id}/approve", response_model=SignalAnswer, responses=_DECIDED)
async def approve_signal(
    request: Request, session: Db, account: Account, signal_id: _Id
) -> Response:
    """Have a proposed signal executed. The limits of its webhook count as they are then.

    It needs a key with the scope trade, too.
    """
    check_scope(request.scope, Scope.trade)
    signal = await _proposed(session, account, signal_id)
    signal.status = SignalStatus.queued
    now = request.app.state.market.clock.now()
    note(session, _line(Action.signal_approved, "A proposed signal was approved.", signal), now)
    request.app.state.executor.tell(session)
    await _tell(request, session, signal)
    return Reply(_shown(signal))


@router.post("/{signal_id}/decline", response_model=SignalAnswer, responses=_DECIDED)
async def decline_signal(
    request: Request, session: Db, account: Account, signal_id: _Id
) -> Response:
    """Refuse a proposed signal for good."""
    signal = await _proposed(session, account, signal_id)
    now = request.app.state.market.clock.now()
    signal.status = SignalStatus.rejected
    signal.processed = True
    signal.processed_at = now
    signal.error = "It was declined."
    note(session, _line(Action.signal_dismissed, "A proposed signal was declined.", signal), now)
    await _tell(request, session, signal)
    return Reply(_shown(signal))


@router.post(
    "/{signal_id}/replay",
    status_code=201,
    response_model=SignalAnswer,
    openapi_extra=documented(current_account, only_key),
    responses=replayable(201) | problems(InvalidRequest, NotFound, InvalidState, UnknownOutcome),
)
async def replay_signal(request: Request, signal_id: _Id) -> Response:
    """Take a signal in once more: a new one, linked to it, through its webhook as it is now.

    With an idempotency key the request may be sent again: it gets the first replay, and makes no
    other. It needs an API key with the scope trade, too.
    """
    check_scope(request.scope, Scope.trade)
    account = await current_account(request)
    database: Database = request.app.state.database
    async with database.read() as session:
        signal = await signal_of(session, account, signal_id)
    stored = await _replay(request, account, [signal])
    async with database.read() as session:
        shown = _shown(await signal_of(session, account, stored[0].signal_id))
    return Reply(shown, 201, headers=replay_headers(replayed=not stored[0].is_new))


@router.post(
    "/replay",
    status_code=201,
    response_model=list[SignalAnswer],
    openapi_extra=documented(current_account, only_key),
    responses=replayable(201) | problems(*WITH_BODY, NotFound, InvalidState, UnknownOutcome),
)
async def replay_signals(request: Request, body: ReplayRequest) -> Response:
    """Take the signals of a span of time in once more, the oldest first: at most 1,000.

    It needs a key with the scope trade, too.
    """
    check_scope(request.scope, Scope.trade)
    account = await current_account(request)
    database: Database = request.app.state.database
    wanted = Wanted(body.since, body.until, body.status, body.webhook_id)
    query = signals_of(account, wanted).where(Signal.replay_of.is_(None)).order_by(Signal.id)
    async with database.read() as session:
        signals = (await session.scalars(query.limit(MOST + 1))).all()
    if len(signals) > MOST:
        raise InvalidRequest(f"There are more than {MOST} signals. Replay a shorter span.")
    stored = await _replay(request, account, signals) if signals else []
    ids = [each.signal_id for each in stored]
    async with database.read() as session:
        rows = (
            await session.scalars(
                select(Signal).where(Signal.signal_id.in_(ids)).order_by(Signal.id)
            )
        ).all()
    headers = replay_headers(replayed=bool(stored) and not any(each.is_new for each in stored))
    return Reply([_shown(row) for row in rows], 201, headers=headers)


async def _replay(request: Request, account: str, signals: Any) -> list[Stored]:
    database: Database = request.app.state.database
    ids = {signal.webhook_id for signal in signals}
    async with database.read() as session:
        found = await session.scalars(
            select(Webhook).where(
                Webhook.id.in_(ids), Webhook.user_id == account, Webhook.deleted_at.is_(None)
            )
        )
        webhooks = {webhook.id: webhook for webhook in found}
    now = request.app.state.market.clock.now()
    return await replay(request.app.state.inbox, signals, webhooks, only_key(request), now)


async def _proposed(session: AsyncSession, account: str, signal_id: str) -> Signal:
    """Return a signal that waits for somebody's decision, locked. Raises InvalidState else."""
    signal = await signal_of(session, account, signal_id, to_show=False)
    if signal.status is not SignalStatus.received:
        raise InvalidState(f"The signal is {signal.status}: it waits for no decision.")
    if signal.webhook_id is None or signal.ticker is None:
        raise InvalidState("The signal came through no webhook of this desk: it cannot be traded.")
    return signal


async def _tell(request: Request, session: AsyncSession, signal: Signal) -> None:
    """Tell the streams what was decided of a signal, once it is committed."""
    stored = Stored(
        signal.signal_id,
        signal.user_id,
        str(signal.webhook_id),
        signal.ticker,
        signal.status,
        signal.order_id,
        signal.outcome,
        signal.error,
        signal.duplicates,
    )
    feed: Feed = request.app.state.feed
    await session.run_sync(feed.tell, event_of(stored))


def _shown(signal: Signal) -> SignalAnswer:
    said = None if signal.understood is None else as_kept(signal.understood)
    fields = {
        name: getattr(signal, name)
        for name in SignalAnswer.model_fields
        if name not in {"account_id", "raw", "understood"}
    }
    raw = None if signal.raw is None else signal.raw.decode("utf-8", "replace")
    return SignalAnswer(**fields, account_id=signal.user_id, raw=raw, understood=said)


def _line(action: Action, said: str, signal: Signal) -> Line:
    after = {"status": signal.status, "ticker": signal.ticker, "understood": signal.understood}
    return Line(action, said, signal.user_id, signal.signal_id, None, after)
