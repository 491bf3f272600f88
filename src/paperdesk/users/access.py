"""Which account a request is about, and whether it may be made at all.

In local mode the desk is open as the default account. Once an API key was made, or with
PAPERDESK_AUTH=required, it is not: keys come with the command that makes them, and until a request
carries one it is refused.
"""

from typing import Annotated

from fastapi import Depends, Header, Query, Request
from sqlalchemy import exists, select

from paperdesk.db.engine import Database
from paperdesk.errors import NotFound, Unauthenticated
from paperdesk.models import DEFAULT_ACCOUNT, ApiKey, UserProfile
from paperdesk.settings import Settings

_ID_LENGTH = 36


async def allow(request: Request) -> None:
    """Let the request pass, or raise Unauthenticated."""
    settings: Settings = request.app.state.settings
    if settings.auth == "local" and not await any_key(request.app.state.database):
        return
    raise Unauthenticated("This desk asks for an API key. Send it as Authorization: Bearer pd_….")


async def any_key(database: Database) -> bool:
    """Say whether an API key was ever made."""
    async with database.read() as session:
        return bool(await session.scalar(select(exists().where(ApiKey.id.is_not(None)))))


async def current_account(
    request: Request,
    x_account: Annotated[
        str | None, Header(description="The account's id; `default` if left out.")
    ] = None,
    account: Annotated[
        str | None, Query(description="The same, where a header cannot be set.")
    ] = None,
) -> str:
    """Return the id of the account that the request is about. Raises NotFound if there is none."""
    chosen = x_account or account or DEFAULT_ACCOUNT
    if chosen != DEFAULT_ACCOUNT:
        database: Database = request.app.state.database
        async with database.read() as session:
            known = len(chosen) <= _ID_LENGTH and await session.scalar(
                select(exists().where(UserProfile.id == chosen))
            )
        if not known:
            raise NotFound("There is no such account. Leave X-Account out to use the default one.")
    return chosen


Account = Annotated[str, Depends(current_account)]
