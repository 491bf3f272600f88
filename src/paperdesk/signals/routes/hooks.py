"""POST /hooks/{token} and POST /api/webhook: where alerts come in."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request, Response

from paperdesk.api.codec import Reply, slice_router
from paperdesk.api.idempotency import only_key
from paperdesk.api.parameters import documented, reads
from paperdesk.api.problems import problems
from paperdesk.audit.actor import Actor, ActorKind, acting
from paperdesk.errors import (
    BodyTooLarge,
    Forbidden,
    InvalidRequest,
    NotUnderstood,
    RateLimited,
    ReadOnly,
    Unauthenticated,
    UnknownOutcome,
)
from paperdesk.models import SignalStatus
from paperdesk.signals.arriving import Stored
from paperdesk.signals.intake import Intake
from paperdesk.signals.schemas import DeliveredSignal, DeliveryAnswer, FirstResult
from paperdesk.signals.signing import SIGNATURE, TIMESTAMP

router = slice_router(prefix="", tags=["signals"], keyless=True, any_query=True)
"""Senders that cannot be mended send here: what stands around an alert must not lose it."""

_OTHER_BODY: Final = (
    "Another body came under this id before, and this one was not executed. Send each alert under "
    "an id of its own."
)
_MOST_NAMED: Final = 5
_REFUSED: Final = (
    NotUnderstood,
    Unauthenticated,
    Forbidden,
    InvalidRequest,
    BodyTooLarge,
    RateLimited,
    ReadOnly,
    UnknownOutcome,
)


@reads("token", "path", "The webhook's token.")
def _token(request: Request) -> str:
    """Return the token at the end of the path; nobody but us looks it up, so that it is fast."""
    return str(request.scope["path"].removesuffix("/").rpartition("/")[2])


@reads("X-Webhook-Token", "header", "The webhook's token.")
@reads("token", "query", "The webhook's token, where a header cannot be set.")
def tokens_of(request: Request) -> list[str]:
    """Return the tokens that a request brings beside its body; an empty one is none."""
    given = [*request.headers.getlist("x-webhook-token"), *request.query_params.getlist("token")]
    return [token for token in given if token]


@reads("X-Paperdesk-Timestamp", "header", "When it was signed, in Unix seconds.")
@reads("X-Paperdesk-Signature", "header", "v1=<hex>: HMAC-SHA256 of v1:<timestamp>:<body>.")
def signature_of(request: Request) -> tuple[str | None, str | None]:
    """Return when a request says that it was signed, and its signatures."""
    return request.headers.get(TIMESTAMP), request.headers.get(SIGNATURE)


def _described(*readers: Callable[..., Any]) -> dict[str, Any]:
    """Return what the document says of a route that takes any body, and no key."""
    body = {
        "description": "The alert, whatever its content type: JSON, a form, or one of the texts "
        "that docs/signals.md lists.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
    return {"requestBody": body, **documented(*readers)}


@router.post("/hooks/{token}/", include_in_schema=False)
@router.post(
    "/hooks/{token}",
    response_model=DeliveryAnswer,
    openapi_extra=_described(_token, signature_of, only_key),
    responses=problems(*_REFUSED),
)
async def receive_by_url(request: Request) -> Response:
    """Take an alert from whoever knows the URL.

    The answer comes once the alert is stored, before it is executed. 200 also where it is refused
    or came before: TradingView sends again after a 5xx only. 400 for a body of which nothing is
    understood; it is stored too, and can be replayed.
    """
    return await _receive(request, [_token(request)])


@router.post("/api/webhook/", include_in_schema=False)
@router.post(
    "/api/webhook",
    response_model=DeliveryAnswer,
    openapi_extra=_described(tokens_of, signature_of, only_key),
    responses=problems(*_REFUSED),
)
async def receive(request: Request) -> Response:
    """Take an alert from whoever has a webhook's token: in a header, the query or the body.

    In the body it is the secret, passphrase, key or apikey that senders put there. Answers as
    POST /hooks/{token} does.
    """
    return await _receive(request, tokens_of(request))


async def _receive(request: Request, tokens: list[str]) -> Response:
    intake: Intake = request.app.state.intake
    raw = await request.body()
    webhook = await intake.webhook_for(request.scope, tokens, raw)
    acting.set(Actor(ActorKind.webhook, webhook.id, webhook.name))
    key, signed = only_key(request), signature_of(request)
    stored = await intake.receive(webhook, tokens, raw, key, signed)
    if all(map(_was_not_understood, stored)):
        raise NotUnderstood(_why_not_understood(stored))
    return Reply(_answer(stored))


def _was_not_understood(stored: Stored) -> bool:
    return stored.ticker is None and stored.status is SignalStatus.failed


def _why_not_understood(stored: list[Stored]) -> str:
    """Return what the first signal lacks, and where all of them are kept."""
    first = stored[0]
    if len(stored) == 1:
        kept = f"The alert is kept as signal {first.signal_id}, and can be replayed."
    else:
        ids = ", ".join(each.signal_id for each in stored[:_MOST_NAMED])
        more = f" and {len(stored) - _MOST_NAMED} more" if len(stored) > _MOST_NAMED else ""
        kept = (
            f"That is the first of {len(stored)} alerts, of which none is understood. They are "
            f"kept as signals {ids}{more}, and can be replayed."
        )
    said = f"{first.error} {kept}"
    return f"{_OTHER_BODY} It was: {said}" if first.other_body else said


def _answer(stored: list[Stored]) -> DeliveryAnswer:
    signals = [_delivered(each) for each in stored]
    return DeliveryAnswer(**vars(signals[0]), signals=signals)


def _delivered(stored: Stored) -> DeliveredSignal:
    refused = stored.status in {SignalStatus.rejected, SignalStatus.failed}
    return DeliveredSignal(
        status="duplicate" if not stored.is_new else "rejected" if refused else "received",
        signal_id=stored.signal_id,
        first=FirstResult(
            status=stored.status,
            order_id=stored.order_id,
            outcome=stored.outcome,
            error=stored.error,
        ),
        warning=_OTHER_BODY if stored.other_body else None,
    )
