"""`Idempotency-Key`: a request that may be sent again, and has one effect for ever."""

from typing import Any

from fastapi import Request

from paperdesk.api.parameters import LONGEST, reads
from paperdesk.errors import InvalidRequest

_REPLAYED = "Idempotent-Replayed"


@reads(
    "Idempotency-Key", "header", "Your own key: the same request under it has one effect, for ever."
)
def only_key(request: Request, in_body: str | None = None) -> str | None:
    """Return the key of a request, from its header or its body.

    Raises InvalidRequest for two keys that differ, and for a header that is empty or too long.
    """
    keys = {_text(value) for value in request.headers.getlist("idempotency-key")}
    if not all(0 < len(key) <= LONGEST for key in keys):
        raise InvalidRequest(f"Idempotency-Key must have 1 to {LONGEST} characters.")
    if in_body:
        keys.add(in_body)
    if len(keys) > 1:
        raise InvalidRequest(
            "The request has two different keys. Send one Idempotency-Key; where the body has a "
            "client_order_id, the same in both."
        )
    return keys.pop() if keys else None


def _text(value: str) -> str:
    """Return a header as it was written: in UTF-8, of which Starlette makes Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


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
