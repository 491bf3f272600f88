"""Every request has an id: the sender's own, if it is well formed, and every answer names it."""

import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperdesk.audit.actor import request_id
from paperdesk.ids import new_id

_WELL_FORMED: Final = re.compile(rb"[0-9A-Za-z][0-9A-Za-z._:-]{0,63}")
_HEADER: Final = b"x-request-id"


class RequestIds:
    """Middleware that gives each request its id. The outermost: refusals have one, too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the id for whoever handles the request, and add it to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        chosen = _given(scope) or new_id()
        header = (_HEADER, chosen.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        before = request_id.set(chosen)
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            request_id.reset(before)


def _given(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == _HEADER]
    if len(values) == 1 and _WELL_FORMED.fullmatch(values[0]):
        return values[0].decode()
    return None
