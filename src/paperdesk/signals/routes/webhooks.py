"""The routes under /api/webhooks: the doors that alerts come in through."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Path, Request, Response
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.deps import Db
from paperdesk.api.ids import PathId
from paperdesk.api.pages import DEFAULT_LIMIT, PAGED, Cursor, Limit, id_cursor, next_link, page
from paperdesk.api.problems import WITH_BODY, problems
from paperdesk.api.scopes import Scope, check_scope
from paperdesk.audit.trail import Action, Line, note
from paperdesk.errors import InvalidRequest, InvalidState, NotFound
from paperdesk.models import Webhook, WebhookMode
from paperdesk.signals.intake import Intake
from paperdesk.signals.schemas import (
    RotationRequest,
    SigningSecret,
    WebhookAnswer,
    WebhookChange,
    WebhookMade,
    WebhookRequest,
    webhook_answer,
    webhook_made,
)
from paperdesk.signals.webhooks import (
    change_webhook,
    delete_webhook,
    make_webhook,
    renew_signing,
    renew_token,
    webhook_of,
    webhooks_of,
)
from paperdesk.users.access import Account

router = slice_router(prefix="/api/webhooks", tags=["webhooks"], changes=Scope.webhook)

_Id = Annotated[PathId, Path(max_length=36, description="The webhook's id")]
_SECRET: Final = {"Cache-Control": "no-store"}


@router.get(
    "", response_model=list[WebhookAnswer], responses=PAGED | problems(InvalidRequest, NotFound)
)
async def read_webhooks(
    request: Request,
    session: Db,
    account: Account,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List the account's webhooks, the last made first, without their tokens."""
    query = webhooks_of(account)
    if (before := id_cursor(cursor)) is not None:
        query = query.where(Webhook.id < before)
    rows = (await session.scalars(query.limit(limit + 1))).all()
    shown, last = page(rows, limit)
    return Reply(
        [webhook_answer(row) for row in shown],
        headers=next_link(request, last.id if last else None),
    )


@router.post(
    "",
    status_code=201,
    response_model=WebhookMade,
    responses=problems(*WITH_BODY, NotFound),
)
async def create_webhook(
    request: Request, session: Db, account: Account, body: WebhookRequest
) -> Response:
    """Make a webhook. Its token, its URL and a template for TradingView are shown this once.

    One that executes needs a key with the scope trade, too.
    """
    _check_may_trade(request, body.mode)
    now = request.app.state.market.clock.now()
    webhook, token = make_webhook(session, account, body, now)
    await session.flush()
    said = f"Webhook {webhook.name} made."
    note(session, _line(Action.webhook_made, said, webhook, after=_state(webhook)), now)
    return Reply(webhook_made(webhook, token, _base_url(request)), 201, headers=_SECRET)


@router.get(
    "/{webhook_id}", response_model=WebhookAnswer, responses=problems(InvalidRequest, NotFound)
)
async def read_webhook(session: Db, account: Account, webhook_id: _Id) -> Response:
    """Show a webhook, without its token."""
    return Reply(webhook_answer(await webhook_of(session, account, webhook_id, to_show=True)))


@router.patch(
    "/{webhook_id}", response_model=WebhookAnswer, responses=problems(*WITH_BODY, NotFound)
)
async def update_webhook(
    request: Request, session: Db, account: Account, webhook_id: _Id, body: WebhookChange
) -> Response:
    """Change what is named of a webhook; the rest stays. A limit that is null goes.

    To have it execute needs a key with the scope trade, too.
    """
    _check_may_trade(request, body.mode)
    webhook = await webhook_of(session, account, webhook_id)
    before = _state(webhook)
    change_webhook(webhook, body)
    _forget(request, session)
    if before != (after := _state(webhook)):
        said = f"Webhook {webhook.name} changed."
        line = _line(Action.webhook_changed, said, webhook, before=before, after=after)
        note(session, line, request.app.state.market.clock.now())
    return Reply(webhook_answer(webhook))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses=problems(InvalidRequest, NotFound),
)
async def remove_webhook(
    request: Request, session: Db, account: Account, webhook_id: _Id
) -> Response:
    """Close a webhook for ever: its token opens nothing, what waits is refused, signals stay."""
    now = request.app.state.market.clock.now()
    webhook = await webhook_of(session, account, webhook_id)
    before = _state(webhook)
    delete_webhook(webhook, now)
    _forget(request, session)
    said = f"Webhook {webhook.name} deleted."
    note(session, _line(Action.webhook_removed, said, webhook, before=before), now)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate",
    response_model=WebhookMade,
    responses=problems(InvalidRequest, NotFound),
)
async def rotate_token(
    request: Request, session: Db, account: Account, webhook_id: _Id
) -> Response:
    """Give a webhook another token, shown this once; the one before opens nothing from now on.

    Whoever has the token of one that executes can trade: it needs a key with the scope trade, too.
    """
    webhook = await webhook_of(session, account, webhook_id)
    _check_may_trade(request, webhook.mode)
    token = renew_token(webhook)
    _forget(request, session)
    said = f"Webhook {webhook.name} has another token."
    now = request.app.state.market.clock.now()
    note(session, _line(Action.webhook_rotated, said, webhook), now)
    return Reply(webhook_made(webhook, token, _base_url(request)), headers=_SECRET)


@router.post(
    "/{webhook_id}/signing-secret",
    response_model=SigningSecret,
    responses=problems(*WITH_BODY, NotFound, InvalidState),
)
async def rotate_signing_secret(
    request: Request,
    session: Db,
    account: Account,
    webhook_id: _Id,
    body: RotationRequest,
) -> Response:
    """Make the next secret that senders sign with, shown this once.

    The secret before counts beside it for the grace. A webhook that has a secret checks every
    signature that comes, and asks for one where it has `signature_required`.
    """
    intake: Intake = request.app.state.intake
    now = request.app.state.market.clock.now()
    webhook = await webhook_of(session, account, webhook_id)
    renew_signing(webhook, timedelta(seconds=body.grace_seconds), now)
    secret = intake.signer.secret_of(webhook.id, webhook.signing_version)
    _forget(request, session)
    said = f"Webhook {webhook.name} has another signing secret."
    note(session, _line(Action.webhook_rotated, said, webhook), now)
    answer = SigningSecret(
        secret=secret, version=webhook.signing_version, previous_until=webhook.previous_until
    )
    return Reply(answer, headers=_SECRET)


def _check_may_trade(request: Request, mode: WebhookMode | None) -> None:
    """Raise Forbidden where a webhook would trade for a key that may not."""
    if mode is WebhookMode.execute:
        check_scope(request.scope, Scope.trade)


def _forget(request: Request, session: AsyncSession) -> None:
    """Have the doors looked at anew once the change is committed, and not before."""
    intake: Intake = request.app.state.intake

    def forget(_session: Session) -> None:
        intake.doors.forget()

    event.listen(session.sync_session, "after_commit", forget, once=True)


def _base_url(request: Request) -> str:
    """Return where the desk is reached from outside: as the settings say, else as it was now."""
    return request.app.state.settings.public_url or str(request.base_url)


def _state(webhook: Webhook) -> dict[str, object]:
    return {
        "name": webhook.name,
        "mode": webhook.mode,
        "enabled": webhook.enabled,
        "strategy": webhook.strategy,
        "limits": webhook.limits,
        "settings": webhook.settings,
    }


def _line(
    action: Action,
    said: str,
    webhook: Webhook,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> Line:
    return Line(action, said, webhook.user_id, webhook.id, before, after)
