"""Making and changing webhooks, within a session's transaction."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.models import Webhook
from paperdesk.signals.doors import new_token, token_hash
from paperdesk.signals.schemas import WebhookChange, WebhookRequest, WebhookTerms
from paperdesk.signals.terms import Limits, Taking, kept, limits_of, taking_of

_OF_THE_ROW: Final = ("name", "mode", "enabled")


def webhooks_of(account_id: str) -> Select[Any]:
    """Return the query for an account's webhooks, the last made first."""
    return (
        select(Webhook)
        .where(Webhook.user_id == account_id, Webhook.deleted_at.is_(None))
        .order_by(Webhook.id.desc())
    )


async def webhook_of(
    session: AsyncSession, account_id: str, webhook_id: str, *, to_show: bool = False
) -> Webhook:
    """Return a webhook of an account, locked unless it is only shown. Raises NotFound."""
    query = webhooks_of(account_id).where(Webhook.id == webhook_id)
    if not to_show:
        query = query.with_for_update(key_share=True)
    found: Webhook | None = await session.scalar(query)
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def make_webhook(
    session: AsyncSession, account_id: str, wanted: WebhookRequest, now: datetime
) -> tuple[Webhook, str]:
    """Make a webhook, and return it with its token, of which only the hash is kept."""
    token = new_token()
    webhook = Webhook(
        user_id=account_id,
        name=wanted.name,
        mode=wanted.mode,
        strategy=wanted.strategy,
        token_hash=token_hash(token),
        enabled=True,
        signing_version=0,
        created_at=now,
    )
    _set_terms(webhook, wanted.model_dump(include=_names(WebhookTerms)))
    session.add(webhook)
    return webhook, token


def change_webhook(webhook: Webhook, wanted: WebhookChange) -> None:
    """Change what is named of a webhook. Raises InvalidRequest where it cannot be left out."""
    named = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    for name in _OF_THE_ROW:
        if name in named:
            if named[name] is None:
                raise InvalidRequest(f"{name}: cannot be null; leave it out to keep it.")
            setattr(webhook, name, named[name])
    if "strategy" in named:
        webhook.strategy = named["strategy"]
    terms = limits_of(webhook).model_dump() | taking_of(webhook).model_dump()
    changes = wanted.model_dump(include=_names(WebhookTerms) & wanted.model_fields_set)
    _set_terms(webhook, terms | changes)


def renew_token(webhook: Webhook) -> str:
    """Give a webhook another token, and return it; the one before opens nothing from now on."""
    token = new_token()
    webhook.token_hash = token_hash(token)
    return token


def renew_signing(webhook: Webhook, grace: timedelta, now: datetime) -> None:
    """Give a webhook the next signing secret; the one before counts for the grace."""
    webhook.previous_until = now + grace if webhook.signing_version and grace else None
    webhook.signing_version += 1


def delete_webhook(webhook: Webhook, now: datetime) -> None:
    """Close a webhook for ever; its signals stay."""
    webhook.deleted_at = now
    webhook.enabled = False
    webhook.token_hash = f"deleted:{webhook.id}"


def _set_terms(webhook: Webhook, terms: dict[str, Any]) -> None:
    limits = {name: value for name, value in terms.items() if name in Limits.model_fields}
    taking = {name: value for name, value in terms.items() if name in Taking.model_fields}
    webhook.limits = kept(Limits.model_validate(limits))
    webhook.settings = kept(Taking.model_validate(taking))


def _names(kind: type[WebhookTerms]) -> set[str]:
    return set(kind.model_fields)
