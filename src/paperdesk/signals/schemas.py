"""The bodies of the routes of webhooks and signals."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from paperdesk.api.codec import Answer, Ask, Label, Moment, Note
from paperdesk.api.ids import IdIn
from paperdesk.models import SignalStatus, Webhook, WebhookMode
from paperdesk.signals.killswitch import Authority
from paperdesk.signals.reading.model import NotUnderstood, Understood
from paperdesk.signals.terms import Limits, Taking, limits_of, taking_of

SignalId = Annotated[
    str,
    Field(
        description="64 hex digits of SHA-256",
        examples=["9f3c1e7ab2d4506887e1f0c2d3b4a5968778695a4b3c2d1e0f9e8d7c6b5a4938"],
    ),
]


class WebhookTerms(Limits, Taking):
    """What a webhook lets its signals do and how it takes alerts; what is left out has no limit."""


class WebhookRequest(WebhookTerms):
    """A webhook to be made."""

    name: Annotated[Label, Field(examples=["Breakout on TradingView"])]
    mode: Annotated[
        WebhookMode,
        Field(description="record: keep only; propose: wait for approval; execute: trade"),
    ]
    strategy: Annotated[
        Label | None, Field(description="What its orders are said to be of; else the alert's own")
    ] = None


class WebhookChange(WebhookTerms):
    """What changes of a webhook: only what is named; null where a limit is to go."""

    name: Annotated[Label | None, Field(examples=["Breakout on TradingView"])] = None
    mode: WebhookMode | None = None
    enabled: Annotated[
        bool | None, Field(description="false is its kill switch: all that comes is refused")
    ] = None
    strategy: Label | None = None


class WebhookAnswer(Answer):
    """A webhook, without its token."""

    id: Annotated[str, Field(examples=["01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"])]
    account_id: Annotated[str, Field(examples=["default"])]
    name: Annotated[str, Field(examples=["Breakout on TradingView"])]
    mode: WebhookMode
    enabled: Annotated[bool, Field(description="false: all that comes is refused")]
    strategy: str | None
    limits: Annotated[Any, Field(description="What its signals may do, as in the request")]
    settings: Annotated[Any, Field(description="How it takes its alerts, as in the request")]
    signs: Annotated[bool, Field(description="Whether senders may sign with a secret")]
    created_at: Moment


class WebhookMade(WebhookAnswer):
    """A webhook with its token, which is shown this once."""

    token: Annotated[str, Field(description="Shown this once")]
    url: Annotated[str, Field(examples=["http://127.0.0.1:8000/hooks/…"])]
    template: Annotated[
        str, Field(description="An alert message to paste into TradingView, placeholders and all")
    ]


class SigningSecret(Answer):
    """The secret that senders sign with, shown this once."""

    secret: Annotated[str, Field(examples=["whsec_…"])]
    version: Annotated[int, Field(examples=[1])]
    previous_until: Annotated[
        Moment | None, Field(description="Until when the secret before it counts too")
    ]


class RotationRequest(Ask):
    """How long the secret before counts beside the new one."""

    grace_seconds: Annotated[int, Field(ge=0, le=30 * 86_400, examples=[86_400])] = 86_400


class FirstResult(Answer):
    """What became of the first delivery of a signal so far."""

    status: SignalStatus
    order_id: str | None
    outcome: Annotated[str | None, Field(examples=["Bought 10 AAPL at 190.12."])]
    error: Annotated[str | None, Field(description="Why it was refused, or has to wait")]


class DeliveredSignal(Answer):
    """What a delivery was, for one signal in it."""

    status: Annotated[
        Literal["received", "duplicate", "rejected"],
        Field(description="duplicate: it came before, and nothing is done again"),
    ]
    signal_id: SignalId
    first: FirstResult
    warning: Annotated[
        str | None,
        Field(description="That a duplicate says something else than the alert that its id is of"),
    ] = None


class DeliveryAnswer(DeliveredSignal):
    """What a delivery was; of several signals, the first, with all of them in `signals`."""

    signals: list[DeliveredSignal]


class SignalAnswer(Answer):
    """A signal of the inbox, with what was understood and what became of it."""

    id: int
    signal_id: SignalId
    account_id: Annotated[str, Field(examples=["default"])]
    webhook_id: Annotated[str | None, Field(examples=["01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"])]
    status: SignalStatus
    processed: Annotated[bool, Field(description="Whether nothing more will become of it")]
    ticker: Annotated[str | None, Field(examples=["AAPL"])]
    payload: Annotated[Any, Field(description="The body as JSON; null where it is none")]
    raw: Annotated[str | None, Field(description="The body as it came, without its secrets")]
    understood: Annotated[
        Understood | NotUnderstood | None, Field(description="What the desk took it to say")
    ]
    order_id: str | None
    outcome: Annotated[str | None, Field(examples=["Bought 10 AAPL at 190.12."])]
    error: Annotated[str | None, Field(description="Why it was refused, or has to wait")]
    missed: Annotated[
        str | None, Field(description="What an alert before it must have said that never came")
    ]
    attempts: Annotated[int, Field(description="How often it was tried to execute it")]
    duplicates: Annotated[int, Field(description="How often it was delivered again")]
    sent_at: Moment | None
    received_at: Moment
    last_seen_at: Moment | None
    processed_at: Moment | None
    replay_of: Annotated[str | None, Field(description="The signal that it repeats")]
    request_id: Annotated[str | None, Field(description="The request that brought it first")]


class ReplayRequest(Ask):
    """Which signals to replay: of one webhook or all, of a span of time, the oldest first."""

    since: Annotated[Moment, Field(examples=["2026-11-22T14:00:00Z"])]
    until: Annotated[Moment, Field(description="Excluded", examples=["2026-11-22T15:00:00Z"])]
    webhook_id: IdIn | None = None
    status: SignalStatus | None = None


class KillswitchRequest(Ask):
    """Stop the execution of signals, or let it go on: of the desk, an account, or one webhook."""

    on: Annotated[bool, Field(examples=[True])]
    account_id: IdIn | None = None
    webhook_id: IdIn | None = None
    cancel_orders: Annotated[
        bool, Field(description="Cancel the open orders that came through webhooks, too")
    ] = False
    reason: Annotated[
        Note | None, Field(description="Refused signals say it", examples=["It runs wild."])
    ] = None


class KillswitchAnswer(Answer):
    """Whether a switch is on now, and what was canceled."""

    on: bool
    account_id: str | None
    webhook_id: str | None
    canceled_orders: Annotated[int, Field(examples=[0])]


class SwitchAnswer(Answer):
    """A switch that is on: of a webhook, of an account, or of the whole desk where neither is."""

    account_id: str | None
    webhook_id: Annotated[str | None, Field(description="A webhook that is off")] = None
    webhook_name: str | None = None
    by: Annotated[
        Authority | None,
        Field(description="Who turned it on: what the desk did only its administrator undoes"),
    ] = None
    since: Annotated[Moment | None, Field(description="null for a webhook")] = None
    reason: Annotated[str | None, Field(examples=["It runs wild."])] = None


def webhook_answer(webhook: Webhook) -> WebhookAnswer:
    """Return how a webhook is shown."""
    return WebhookAnswer(**_shown(webhook))


def webhook_made(webhook: Webhook, token: str, base_url: str) -> WebhookMade:
    """Return how a webhook is shown with a token that nobody will see again."""
    return WebhookMade(
        **_shown(webhook),
        token=token,
        url=f"{base_url.rstrip('/')}/hooks/{token}",
        template=TEMPLATE,
    )


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "account_id": webhook.user_id,
        "name": webhook.name,
        "mode": webhook.mode,
        "enabled": webhook.enabled,
        "strategy": webhook.strategy,
        "limits": limits_of(webhook).model_dump(mode="python"),
        "settings": taking_of(webhook).model_dump(mode="python"),
        "signs": bool(webhook.signing_version),
        "created_at": webhook.created_at,
    }


TEMPLATE: Final = """{
  "ticker": "{{ticker}}",
  "exchange": "{{exchange}}",
  "action": "{{strategy.order.action}}",
  "quantity": "{{strategy.order.contracts}}",
  "market_position": "{{strategy.market_position}}",
  "market_position_size": "{{strategy.market_position_size}}",
  "prev_market_position": "{{strategy.prev_market_position}}",
  "prev_market_position_size": "{{strategy.prev_market_position_size}}",
  "close": "{{close}}",
  "order_id": "{{strategy.order.id}}",
  "interval": "{{interval}}",
  "time": "{{timenow}}"
}"""
"""An alert message for TradingView's strategies: every placeholder in quotes, so none breaks it."""
