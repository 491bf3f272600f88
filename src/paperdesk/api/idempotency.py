"""`Idempotency-Key`: a request that may be sent again, and has one effect for ever."""

from typing import Annotated, Any

from fastapi import Header, Request

from paperdesk.api.codec import Label
from paperdesk.errors import InvalidRequest

_REPLAYED = "Idempotent-Replayed"

IdempotencyKey = Annotated[
    Label | None,
    Header(
        alias="Idempotency-Key",
        description="Your own key: the same request under it has one effect, for ever.",
    ),
]
"""A parameter that documents and checks the header; `only_key` says which key counts."""


def only_key(request: Request, in_body: str | None = None) -> str | None:
    """Return the key of a request, from its header or its body. Raises InvalidRequest for two."""
    keys = {in_body, *request.headers.getlist("idempotency-key")} - {None}
    if len(keys) > 1:
        raise InvalidRequest(
            "The request has two different keys. Send one Idempotency-Key; where the body has a "
            "client_order_id, the same in both."
        )
    return keys.pop() if keys else None


def replayable(status: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI `responses` that document the header of an answer given again."""
    return {
        status: {
            "headers": {
                _REPLAYED: {
                    "description": "true where the key was used before; absent else.",
                    "schema": {"type": "string", "enum": ["true"]},
                }
            }
        }
    }


def replay_headers(*, replayed: bool) -> dict[str, str]:
    """Return the header that marks an answer given again."""
    return {_REPLAYED: "true"} if replayed else {}
