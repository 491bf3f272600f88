"""Which account a request is about, and whether it may be made at all.

In local mode the desk is open as the default account. Once an API key was made, or with
PAPERDESK_AUTH=required, it is not: keys come with the command that makes them, and until a request
carries one it is refused.
"""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import exists, select
from starlette.types import ASGIApp, Receive, Scope, Send

from paperdesk.api.parameters import reads
from paperdesk.api.problems import ProblemReply
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, NotFound, Unauthenticated
from paperdesk.ids import may_be_an_id
from paperdesk.models import DEFAULT_ACCOUNT, ApiKey, UserProfile

_LOOK_EVERY = timedelta(seconds=1)


class Access:
    """Whether the desk is open, as far as its settings and its keys say."""

    def __init__(self, database: Database, clock: Clock, auth: str) -> None:
        self._database = database
        self._clock = clock
        self._closed = auth != "local"
        self._looked_at: datetime | None = None

    async def is_open(self) -> bool:
        """Say whether no key was ever made. A key that another process makes counts within 1 s."""
        now = self._clock.now()
        if not self._closed and not (self._looked_at and abs(now - self._looked_at) < _LOOK_EVERY):
            if self._looked_at:
                # One request looks; the others go on with what was last seen.
                self._looked_at = now
            async with self._database.read() as session:
                self._closed = bool(
                    await session.scalar(select(exists().where(ApiKey.id.is_not(None))))
                )
            self._looked_at = now
        return not self._closed


class Guard:
    """Middleware that lets nobody through to /api but those who may; its health anyone may ask."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with Unauthenticated."""
        if scope["type"] == "http" and _is_guarded(scope["path"]):
            access: Access = scope["app"].state.access
            if not await access.is_open():
                refusal = Unauthenticated(
                    "This desk asks for an API key. Send it as Authorization: Bearer pd_…."
                )
                await ProblemReply(refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    return path.startswith("/api/") and path != "/api/health"


@reads("account", "query", "The account's id, where a header cannot be set.")
@reads("X-Account", "header", "The account's id; `default` if left out.")
async def current_account(request: Request) -> str:
    """Return the id of the account that the request is about.

    Raises NotFound if there is none, InvalidRequest if the request names more than one.
    """
    named = set(request.headers.getlist("x-account"))
    if request.scope["query_string"]:
        named.update(request.query_params.getlist("account"))
    named.discard("")
    if len(named) > 1:
        raise InvalidRequest("The request names several accounts. Name one, in one place.")
    chosen = named.pop() if named else DEFAULT_ACCOUNT
    if chosen != DEFAULT_ACCOUNT:
        database: Database = request.app.state.database
        async with database.read() as session:
            known = may_be_an_id(chosen) and await session.scalar(
                select(exists().where(UserProfile.id == chosen))
            )
        if not known:
            raise NotFound("There is no such account. Leave X-Account out to use the default one.")
    return chosen


Account = Annotated[str, Depends(current_account)]
