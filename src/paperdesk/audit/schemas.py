"""The body of the audit trail's route."""

from typing import Annotated, Any

from pydantic import Field

from paperdesk.api.codec import Answer, Moment
from paperdesk.models import EventType, LogLevel


class AuditLine(Answer):
    """Who did what, when, with what there was before and after."""

    id: str
    timestamp: Moment
    level: Annotated[LogLevel, Field(examples=["INFO"])]
    event_type: Annotated[EventType, Field(examples=["state_change"])]
    action: Annotated[str | None, Field(examples=["order.placed"])]
    account_id: Annotated[
        str | None, Field(examples=["default"], description="The account that was changed")
    ]
    actor: Annotated[
        str | None,
        Field(
            examples=["key"],
            description="Who: local, key, webhook, chat, job, command_line or system",
        ),
    ]
    actor_id: Annotated[str | None, Field(description="The id of that key, webhook or job")]
    subject: Annotated[str | None, Field(description="The id of what was changed")]
    request_id: Annotated[str | None, Field(description="The request that did it")]
    message: Annotated[str, Field(examples=["buy 10 AAPL, market day: filled."])]
    details: Annotated[
        Any, Field(description="`before` and `after`, where there are such; never a secret")
    ]
    job_id: Annotated[str | None, Field(description="The job whose log it is part of")]
