"""GET and POST /api/accounts, PATCH /api/accounts/{id}, and its reset and clone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import NAMESPACE_URL, uuid5

from fastapi import Path, Request, Response
from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from paperdesk.accounts.clone import clone_account
from paperdesk.accounts.reset import ResetAccount
from paperdesk.accounts.schemas import (
    AccountAnswer,
    AccountChange,
    AccountRequest,
    CloneRequest,
    FillModelAnswer,
    ResetRequest,
    ShortSellingAnswer,
)
from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.idempotency import only_key, replay_headers, replayable
from paperdesk.api.ids import PathId
from paperdesk.api.pages import DEFAULT_LIMIT, PAGED, Cursor, Limit, id_cursor, next_link, page
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_whole_desk, principal_of
from paperdesk.audit.trail import Action, Line, note
from paperdesk.db.constraints import violated
from paperdesk.db.engine import Database
from paperdesk.errors import (
    IdempotencyMismatch,
    InsufficientCash,
    InvalidRequest,
    InvalidState,
    NotFound,
    UnknownOutcome,
)
from paperdesk.ids import new_id
from paperdesk.ledger.accounts import OPENING_KEY, ChangeRules, open_account
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.rules import PLAIN
from paperdesk.models import (
    AccountRules,
    Base,
    CashMovement,
    PositionAdjustment,
    PositionAdjustmentKind,
    UserProfile,
)
from paperdesk.orders.venue import Venue
from paperdesk.users.access import check_own

router = slice_router(prefix="/api/accounts", tags=["accounts"], changes=Scope.admin)

_AccountId = Annotated[PathId, Path(max_length=36, description="The account's id")]
_TAKEN: Final = "pk_users_profile"
_Found = tuple[UserProfile, AccountRules | None]


@router.get(
    "", response_model=list[AccountAnswer], responses=PAGED | problems(InvalidRequest, NotFound)
)
async def read_accounts(
    request: Request, session: Db, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List the accounts that the key may act on, the last opened first.

    The Link header leads to the next page.
    """
    query = _accounts().order_by(UserProfile.created_at.desc(), UserProfile.id.desc())
    own = principal_of(request.scope).account_id
    if own is not None:
        query = query.where(UserProfile.id == own)
    if (before := id_cursor(cursor)) is not None:
        last = await session.get(UserProfile, before) if own in {None, before} else None
        if last is None:
            raise InvalidRequest("cursor: use the one from the Link header of the page before.")
        query = query.where(
            (UserProfile.created_at < last.created_at)
            | ((UserProfile.created_at == last.created_at) & (UserProfile.id < last.id))
        )
    rows: Any = (await session.execute(query.limit(limit + 1))).all()
    shown, following = page(rows, limit)
    return Reply(
        [_shown(*row) for row in shown],
        headers=next_link(request, following[0].id if following else None),
    )


@router.post(
    "",
    status_code=201,
    response_model=AccountAnswer,
    openapi_extra=documented(only_key),
    responses=replayable(201) | problems(*WITH_BODY, IdempotencyMismatch, UnknownOutcome),
)
async def create_account(request: Request, body: AccountRequest) -> Response:
    """Open an account with an opening balance: the first entry of its journal.

    With a key the request may be sent again: it gets the first account, and opens none.
    """
    check_whole_desk(request.scope)
    database: Database = request.app.state.database
    now = request.app.state.market.clock.now()
    account_id = _new_id("account", only_key(request))

    def begin(session: Session) -> None:
        open_account(
            session,
            body.name,
            body.cash_balance,
            now,
            account_id=account_id,
            note=body.name,
            rules=replace(PLAIN, **body.changes()),
        )

    replayed = not await _is_first(database, account_id, begin)
    return await _opened(database, account_id, body, replayed=replayed)


@router.patch(
    "/{account_id}",
    response_model=AccountAnswer,
    responses=problems(*WITH_BODY, NotFound, InvalidState, UnknownOutcome),
)
async def change_account(request: Request, account_id: _AccountId, body: AccountChange) -> Response:
    """Change an account's name, or how its orders are filled and booked: open ones too.

    What was booked stays as it is. At average cost lots are told apart no longer; by another method
    what is held so far becomes one lot.
    """
    check_own(request, account_id)
    database: Database = request.app.state.database
    if body.name is not None:
        async with database.write() as session:
            profile = await session.get(UserProfile, account_id)
            if profile is None:
                raise NotFound("There is no such account.")
            if profile.name != body.name:
                before, after = {"name": profile.name}, {"name": body.name}
                message = "Its name was changed."
                line = Line(Action.account_changed, message, account_id, account_id, before, after)
                note(session, line, request.app.state.market.clock.now())
            profile.name = body.name
    if changes := body.changes():
        ledger: Ledger = request.app.state.ledger
        await ledger.submit(ChangeRules(account_id, changes))
    found = await _account(database, account_id)
    if found is None:
        raise NotFound("There is no such account.")
    return Reply(_shown(*found))


@router.post(
    "/{account_id}/reset",
    response_model=AccountAnswer,
    openapi_extra=documented(only_key),
    responses=replayable(200) | problems(*WITH_BODY, NotFound, IdempotencyMismatch, UnknownOutcome),
)
async def reset_account(request: Request, account_id: _AccountId, body: ResetRequest) -> Response:
    """Begin an account anew: open orders, positions and cash go, and the new balance comes.

    It is a new chapter of its journal. What was booked stays, and so do its rules and all keys.
    With a key the request may be sent again: it resets the account once.
    """
    check_own(request, account_id)
    ledger: Ledger = request.app.state.ledger
    venue: Venue = request.app.state.venue
    command = ResetAccount(account_id, venue, body.cash_balance, only_key(request), body.note)
    booked = await ledger.submit(command)
    found = await _account(request.app.state.database, account_id)
    assert found is not None  # noqa: S101 - it was reset
    return Reply(_shown(*found), headers=replay_headers(replayed=booked.result.replayed))


@router.post(
    "/{account_id}/clone",
    status_code=201,
    response_model=AccountAnswer,
    openapi_extra=documented(only_key),
    responses=replayable(201)
    | problems(*WITH_BODY, NotFound, IdempotencyMismatch, InsufficientCash, UnknownOutcome),
)
async def clone(request: Request, account_id: _AccountId, body: CloneRequest) -> Response:
    """Open an account like this one: with its rules, watchlists, cash and, if wished, positions.

    What the clone holds has cost as much, and is held as long; orders and history stay behind.
    With a key the request may be sent again: it gets the first clone, and opens none.
    """
    check_own(request, account_id)
    check_whole_desk(request.scope)
    database: Database = request.app.state.database
    venue: Venue = request.app.state.venue
    clone_id = _new_id(f"clone:{account_id}", only_key(request))

    def begin(session: Session) -> None:
        clone_account(
            session,
            account_id,
            body.name,
            venue.board,
            venue.clock.now(),
            account_id=clone_id,
            cash_balance=body.cash_balance,
            positions=body.positions,
        )

    replayed = not await _is_first(database, clone_id, begin)
    return await _opened(database, clone_id, body, replayed=replayed)


async def _is_first(
    database: Database, account_id: str, begin: Callable[[Session], object]
) -> bool:
    """Open an account, unless the same request opened it before; say whether it did."""
    if await _account(database, account_id) is not None:
        return False
    try:
        async with database.write() as session:
            await session.run_sync(begin)
    except IntegrityError as error:
        if violated(error, Base.metadata) != _TAKEN:
            raise
        # The same request, at the same time, was the first.
        return False
    return True


async def _opened(
    database: Database, account_id: str, body: AccountRequest | CloneRequest, *, replayed: bool
) -> Response:
    """Return the answer that shows a new account, or the one that was opened under the key."""
    found = await _account(database, account_id)
    assert found is not None  # noqa: S101 - it was opened, now or before
    if replayed and not await _says_the_same(database, account_id, body):
        raise IdempotencyMismatch(
            "This key was used before for another account. Use a new key for a new one."
        )
    return Reply(_shown(*found), 201, headers=replay_headers(replayed=replayed))


async def _account(database: Database, account_id: str) -> _Found | None:
    async with database.read() as session:
        query = _accounts().where(UserProfile.id == account_id)
        row: Any = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


def _accounts() -> Any:
    return select(UserProfile, AccountRules).outerjoin(
        AccountRules, AccountRules.user_id == UserProfile.id
    )


def _shown(profile: UserProfile, rules: AccountRules | None) -> AccountAnswer:
    return AccountAnswer(
        id=profile.id,
        name=profile.name,
        cash_balance=profile.cash_balance,
        realized_pnl=profile.realized_pnl,
        created_at=profile.created_at,
        fill_model=FillModelAnswer.model_validate(rules or PLAIN),
        cost_basis=(rules or PLAIN).cost_basis_method,
        short_selling=ShortSellingAnswer.model_validate(rules or PLAIN),
    )


def _new_id(kind: str, key: str | None) -> str:
    """Return the id of a new account: under a key of its kind always the same."""
    return new_id() if key is None else str(uuid5(NAMESPACE_URL, f"paperdesk:{kind}:{key}"))


async def _says_the_same(
    database: Database, account_id: str, body: AccountRequest | CloneRequest
) -> bool:
    """Say whether an account was opened as it is asked for now; its name may have changed since."""
    moved = PositionAdjustment.kind == PositionAdjustmentKind.transfer
    async with database.read() as session:
        opening = await session.scalar(
            select(CashMovement).where(
                CashMovement.user_id == account_id, CashMovement.key == OPENING_KEY
            )
        )
        has_transfers = await session.scalar(
            select(exists().where(PositionAdjustment.user_id == account_id, moved))
        )
    if opening is None or opening.note != body.name:
        return False
    if isinstance(body, CloneRequest) and has_transfers and not body.positions:
        return False
    return body.cash_balance in {None, opening.amount}
