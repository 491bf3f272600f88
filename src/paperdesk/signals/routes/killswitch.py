"""GET and POST /api/killswitch."""

from collections.abc import Sequence
from datetime import datetime

from fastapi import Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.parameters import documented
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_scope, principal_of
from paperdesk.audit.trail import Action, Line, note
from paperdesk.db.engine import Database
from paperdesk.errors import Forbidden, InvalidRequest, NotFound, UnknownOutcome
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.models import DeskMeta, UserProfile, Webhook
from paperdesk.signals import killswitch
from paperdesk.signals.intake import Intake
from paperdesk.signals.killswitch import Authority
from paperdesk.signals.schemas import KillswitchAnswer, KillswitchRequest, SwitchAnswer
from paperdesk.signals.stopping import CancelSignalOrders, accounts_with_webhooks
from paperdesk.users.access import check_own, chosen_account

router = slice_router(prefix="/api/killswitch", tags=["signals"], changes=Scope.webhook)


@router.get(
    "",
    response_model=list[SwitchAnswer],
    openapi_extra=documented(chosen_account),
    responses=problems(InvalidRequest, NotFound),
)
async def read_killswitches(request: Request, session: Db) -> Response:
    """List the switches that are on: of the desk, of accounts, and of webhooks that are off.

    Of one account with the desk's, where the request names it or the key is limited to it.
    """
    account = await chosen_account(request)
    facts = select(DeskMeta).where(DeskMeta.key.startswith(killswitch.KEY)).order_by(DeskMeta.key)
    webhooks = select(Webhook).where(Webhook.enabled.is_(False), Webhook.deleted_at.is_(None))
    if account is not None:
        names = [killswitch.key_of(None), killswitch.key_of(account)]
        facts = facts.where(DeskMeta.key.in_(names))
        webhooks = webhooks.where(Webhook.user_id == account)
    found = [SwitchAnswer(**killswitch.state_of(row)) for row in await session.scalars(facts)]
    found += [
        SwitchAnswer(account_id=row.user_id, webhook_id=row.id, webhook_name=row.name)
        for row in await session.scalars(webhooks.order_by(Webhook.user_id, Webhook.id))
    ]
    return Reply(found)


@router.post(
    "",
    response_model=KillswitchAnswer,
    openapi_extra=documented(chosen_account),
    responses=problems(*WITH_BODY, NotFound, UnknownOutcome),
)
async def turn_killswitch(request: Request, body: KillswitchRequest) -> Response:
    """Stop the execution of signals at once, or let it go on.

    Of one webhook, of one account, or of the whole desk; a key that is limited to an account stops
    that one. What waits in the queue when it is on is refused, not postponed. The desk's switch,
    and that of an account that its administrator turned on, need a key with the scope admin that is
    not limited to an account. To cancel orders, too, needs a key with the scope trade.
    """
    if body.cancel_orders:
        check_scope(request.scope, Scope.trade)
    database: Database = request.app.state.database
    now = request.app.state.market.clock.now()
    if body.webhook_id is not None and body.account_id is not None:
        raise InvalidRequest("Name a webhook or an account, not both.")
    if body.cancel_orders and not body.on:
        raise InvalidRequest("cancel_orders: goes with on. Leave it out to go on.")
    account = await _account(request, body)
    async with database.write() as session:
        if body.webhook_id is not None:
            account = await _turn_webhook(session, body, account, now)
        else:
            await _turn(session, body, account, _authority(request, account), now)
    intake: Intake = request.app.state.intake
    intake.doors.forget()
    canceled = 0
    if body.cancel_orders:
        accounts = [account] if account is not None else await _all_accounts(database)
        ledger: Ledger = request.app.state.ledger
        clock = request.app.state.market.clock
        for each in accounts:
            booked = await ledger.submit(CancelSignalOrders(each, clock, body.webhook_id))
            canceled += len(booked.result)
    answer = KillswitchAnswer(
        on=body.on,
        account_id=account,
        webhook_id=body.webhook_id,
        canceled_orders=canceled,
    )
    return Reply(answer)


async def _account(request: Request, body: KillswitchRequest) -> str | None:
    """Return the account that is named, in the body or beside it, else the key's. None: no one.

    Raises NotFound for one that the key may not act on, InvalidRequest for two that differ.
    """
    chosen = await chosen_account(request)
    if body.account_id is None:
        return chosen
    check_own(request, body.account_id)
    if chosen not in {None, body.account_id}:
        raise InvalidRequest("The request names several accounts. Name one, in one place.")
    return body.account_id


def _authority(request: Request, account: str | None) -> Authority:
    """Return by whose authority a switch is turned. Raises Forbidden for the desk's own."""
    who = principal_of(request.scope)
    if Scope.admin in who.scopes and who.account_id is None:
        return Authority.desk
    if account is None:
        raise Forbidden(
            "The kill switch of the whole desk needs a key with the scope admin. Name an account "
            "(X-Account) or a webhook to turn theirs."
        )
    return Authority.account


async def _turn(
    session: AsyncSession,
    body: KillswitchRequest,
    account: str | None,
    by: Authority,
    now: datetime,
) -> None:
    if account is not None and await session.get(UserProfile, account) is None:
        raise NotFound("There is no such account.")
    if body.on:
        changed = await killswitch.turn_on(session, account, by, now, body.reason)
    else:
        changed = await killswitch.turn_off(session, account, by)
    if changed:
        whose = "desk" if account is None else "account"
        said = f"The kill switch of the {whose} was turned {'on' if body.on else 'off'}."
        note(session, _line(said, account, account, body), now)


async def _turn_webhook(
    session: AsyncSession, body: KillswitchRequest, own: str | None, now: datetime
) -> str:
    """Turn one webhook on or off, and return its account. Raises NotFound."""
    query = select(Webhook).where(Webhook.id == body.webhook_id, Webhook.deleted_at.is_(None))
    webhook = await session.scalar(query.with_for_update(key_share=True))
    if webhook is None or own not in {None, webhook.user_id}:
        raise NotFound("There is no such webhook.")
    if webhook.enabled is body.on:
        webhook.enabled = not body.on
        said = f"Webhook {webhook.name} was turned {'off' if body.on else 'on'}."
        note(session, _line(said, webhook.user_id, webhook.id, body), now)
    return webhook.user_id


async def _all_accounts(database: Database) -> Sequence[str]:
    async with database.read() as session:
        return await accounts_with_webhooks(session)


def _line(said: str, account: str | None, subject: str | None, body: KillswitchRequest) -> Line:
    action = Action.killswitch_engaged if body.on else Action.killswitch_released
    return Line(action, said, account, subject, after={"on": body.on, "reason": body.reason})
