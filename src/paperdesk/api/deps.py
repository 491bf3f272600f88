"""The session of a request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.api.scopes import SAFE_METHODS
from paperdesk.db.engine import Database
from paperdesk.db.failures import telling_of_commits


async def get_db(request: Request) -> AsyncIterator[AsyncSession]:
    """Give the request its one session; commit before the answer is sent, roll back on an error.

    A reading request gets a session that cannot write. The transaction begins with the first
    statement, so whatever needs the network is done before.
    """
    database: Database = request.app.state.database
    if request.method in SAFE_METHODS:
        async with database.read() as session:
            yield session
    else:
        async with database.async_session_maker() as session:
            yield session
            with telling_of_commits():
                await session.commit()


# `scope="function"` ends the dependency, and so commits, before the response is sent: by default
# FastAPI would end it after, and acknowledge what may yet fail.
Db = Annotated[AsyncSession, Depends(get_db, scope="function")]
