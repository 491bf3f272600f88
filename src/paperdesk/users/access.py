"""Who may make a request, and which account it is about.

In local mode the desk is open as the default account. Once an API key was made, or with
PAPERDESK_AUTH=required, every request needs a key.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy import exists, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paperdesk.api.parameters import reads
from paperdesk.api.problems import ProblemReply
from paperdesk.api.scopes import ANYBODY, ASK_FOR_A_KEY, Principal, let_in, principal_of
from paperdesk.audit.actor import SYSTEM, Actor, ActorKind, acting
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import (
    InvalidRequest,
    NotFound,
    PaperdeskError,
    RateLimited,
    Unauthenticated,
)
from paperdesk.ids import may_be_an_id
from paperdesk.models import DEFAULT_ACCOUNT, ApiKey, UserProfile
from paperdesk.users.addresses import client_address, networks
from paperdesk.users.attempts import Attempts, Rates
from paperdesk.users.credentials import Credential, given
from paperdesk.users.keyring import FRESH, Keyring, KnownKey, opens

OPEN_PATHS: Final = ("/api/health", "/api/webhook", "/hooks")
"""What needs no key, nor does what is below: a webhook's token says who sends."""

_TOO_MANY: Final = (
    "Too many keys or tokens that are not valid came from this address. Wait, then send a valid "
    "one."
)

LOCAL: Final = Actor(ActorKind.local)


class Access:
    """Lets requests in: anybody's while the desk is open, else those with a valid key."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        auth: str,
        *,
        trusted_proxies: Iterable[str] = (),
        key_rate: float | None = None,
    ) -> None:
        self.keyring = Keyring(database, clock)
        self._database = database
        self._clock = clock
        self._closed = auth != "local"
        self._looked_at: datetime | None = None
        self._trusted = networks(trusted_proxies)
        self._attempts = Attempts()
        self._rates = None if key_rate is None else Rates(key_rate)

    async def is_open(self) -> bool:
        """Say whether no key was ever made. A key that another process makes counts within 1 s."""
        now = self._clock.now()
        if not self._closed and not (self._looked_at and abs(now - self._looked_at) < FRESH):
            if self._looked_at:
                # One request looks; the others go on with what was last seen.
                self._looked_at = now
            async with self._database.read() as session:
                made = await session.scalar(select(exists().where(ApiKey.id.is_not(None))))
            # Never opened again: meanwhile this process may have made one.
            self._closed = self._closed or bool(made)
            self._looked_at = now
        return not self._closed

    def keys_changed(self) -> None:
        """Note that this process made, revoked or rotated a key, and committed it."""
        self._closed = True
        self.keyring.forget()

    async def admit(self, scope: Scope) -> tuple[Principal, Actor]:
        """Return who makes a request. Raises Unauthenticated or RateLimited."""
        credential = given(scope["headers"])
        if isinstance(credential, Credential):
            now = self._clock.now()
            known = await self.keyring.find(credential.key_id)
            if known is not None:
                self._closed = True
                if opens(known, credential, now):
                    return self._let_in(known, now)
            else:
                opens(None, credential, now)
        if await self.is_open():
            return ANYBODY, LOCAL
        if credential is not None:
            self.count_failure(scope)
        raise Unauthenticated(ASK_FOR_A_KEY)

    async def close(self) -> None:
        """Wait for what is being noted of keys."""
        await self.keyring.close()

    async def still_admits(self, principal: Principal) -> bool:
        """Say whether who was let in still would be: by a key that opens, or as anybody."""
        if principal.key_id is None:
            return await self.is_open()
        known = await self.keyring.find(principal.key_id)
        return known is not None and known.is_live(self._clock.now())

    def _let_in(self, known: KnownKey, now: datetime) -> tuple[Principal, Actor]:
        principal = known.principal
        if self._rates is not None and (wait := self._rates.take(str(principal.key), now)):
            raise RateLimited("This key asks too often. Wait, or spread its requests.", wait)
        self.keyring.note_use(known, now)
        return principal, known.actor

    def count_failure(self, scope: Scope) -> None:
        """Count a key or token that is not valid. Raises RateLimited after too many of one address.

        A valid key is let in all the same: nobody guesses 256 bits, and one broken client must not
        lock out whoever shares its address.
        """
        now = self._clock.now()
        if wait := self._attempts.fail(client_address(scope, self._trusted), now):
            raise RateLimited(_TOO_MANY, wait)

    def check_failures(self, scope: Scope) -> None:
        """Raise RateLimited where one more failure of an address would be. Counts none."""
        now = self._clock.now()
        if wait := self._attempts.wait(client_address(scope, self._trusted), now):
            raise RateLimited(_TOO_MANY, wait)


class Guard:
    """Middleware that lets nobody in but those who may, and says who that is."""

    def __init__(self, app: ASGIApp, *, also_open: Iterable[str] = ()) -> None:
        self.app = app
        paths = (*OPEN_PATHS, *also_open)
        self._open = frozenset({"/", *paths})
        self._below = tuple(f"{path}/" for path in paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with Unauthenticated."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        actor = SYSTEM
        if not self._is_open(scope["path"]):
            access: Access = scope["app"].state.access
            try:
                principal, actor = await access.admit(scope)
            except PaperdeskError as refusal:
                await ProblemReply(refusal)(scope, receive, send)
                return
            let_in(scope, principal)
            if "/stream" in scope["path"]:
                send = _while_admitted(access, principal, send)
        # Set for open paths, too: a task may have the context of the request before it.
        before = acting.set(actor)
        try:
            await self.app(scope, receive, send)
        except _AdmissionEnded:
            await send(_THE_END)
        finally:
            acting.reset(before)

    def _is_open(self, path: str) -> bool:
        return path in self._open or path.startswith(self._below)


_THE_END: Final = {"type": "http.response.body", "body": b"", "more_body": False}


class _AdmissionEnded(Exception):
    """The key of a stream was revoked or has expired, or the open desk was closed by a key."""


def _while_admitted(access: Access, principal: Principal, send: Send) -> Send:
    """Send a stream for as long as who opened it would be let in."""

    async def send_while_admitted(message: Message) -> None:
        if message.get("more_body") and not await access.still_admits(principal):
            raise _AdmissionEnded
        await send(message)

    return send_while_admitted


@reads("account", "query", "The account's id, where a header cannot be set.")
@reads("X-Account", "header", "The account's id; the key's, else `default`, if left out.")
async def current_account(request: Request) -> str:
    """Return the id of the account that the request is about.

    Raises NotFound if there is none, or the key may not act on it; InvalidRequest if the request
    names more than one.
    """
    return await chosen_account(request) or DEFAULT_ACCOUNT


@reads("account", "query", "The account's id, where a header cannot be set.")
@reads("X-Account", "header", "The account's id; the key's, else every one, if left out.")
async def chosen_account(request: Request) -> str | None:
    """Return the id of the account that the request names, else the key's; None: no one account.

    Raises as `current_account` does.
    """
    own = principal_of(request.scope).account_id
    named = set(request.headers.getlist("x-account"))
    if request.scope["query_string"]:
        named.update(request.query_params.getlist("account"))
    named.discard("")
    if len(named) > 1:
        raise InvalidRequest("The request names several accounts. Name one, in one place.")
    if not named:
        return own
    chosen = named.pop()
    if own is not None:
        is_known = chosen == own
    else:
        is_known = chosen == DEFAULT_ACCOUNT or await _exists(request, chosen)
    if not is_known:
        # The same words for an account that is another's: that there is one is nobody's business.
        raise NotFound("There is no such account. Leave X-Account out to use the one of the key.")
    return chosen


async def _exists(request: Request, account_id: str) -> bool:
    if not may_be_an_id(account_id):
        return False
    database: Database = request.app.state.database
    async with database.read() as session:
        found = await session.scalar(select(exists().where(UserProfile.id == account_id)))
    return bool(found)


def check_own(request: Request, account_id: str) -> None:
    """Raise NotFound, as where there is no such account, for one that the key may not act on."""
    if principal_of(request.scope).account_id not in {None, account_id}:
        raise NotFound("There is no such account.")


Account = Annotated[str, Depends(current_account)]
