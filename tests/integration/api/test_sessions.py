"""The session of a request: one, closed however it ends, committed before the answer."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Message

from paperdesk.api.deps import Db
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidState
from paperdesk.models import DeskMeta, WatchlistEntry
from support.desk import DeskClient


def checked_out(database: Database) -> int:
    pools = {id(engine.pool): engine.pool for engine in (database.reader, database.writer)}
    return sum(pool.checkedout() for pool in pools.values())  # pyright: ignore[reportAttributeAccessIssue]


async def settled(database: Database) -> int:
    for _ in range(100):
        if not checked_out(database):
            break
        await asyncio.sleep(0.01)
    return checked_out(database)


@pytest.fixture
def probes(desk: DeskClient) -> dict[str, Any]:
    """Routes of a test, beside those of the desk, with the same dependency."""
    seen: dict[str, Any] = {"sessions": [], "entered": asyncio.Event(), "gone": asyncio.Event()}
    app: FastAPI = desk.app

    @app.post("/probe/write")
    async def write(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        seen["sessions"].append(session)
        session.add(DeskMeta(key="probe", value="1"))
        return {}

    @app.post("/probe/fail")
    async def fail(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        session.add(DeskMeta(key="probe", value="1"))
        await session.flush()
        raise InvalidState("no")

    @app.post("/probe/clash")
    async def clash(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        session.add(WatchlistEntry(user_id="nobody", ticker="AAPL"))
        return {}

    @app.post("/probe/hang")
    async def hang(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        session.add(DeskMeta(key="probe", value="1"))
        await session.flush()
        seen["entered"].set()
        await asyncio.sleep(60)
        return {}

    return seen


async def written(database: Database) -> bool:
    async with database.read() as session:
        return await session.get(DeskMeta, "probe") is not None


async def test_a_request_commits_before_its_answer_is_sent(
    desk: DeskClient, probes: dict[str, Any]
) -> None:
    database: Database = desk.app.state.database
    committed_at_answer: list[bool] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            committed_at_answer.append(await written(database))

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/probe/write",
        "raw_path": b"/probe/write",
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await desk.app(scope, receive, send)

    assert committed_at_answer == [True]
    assert await settled(database) == 0
    assert len(probes["sessions"]) == 1


@pytest.mark.parametrize(("path", "status"), [("/probe/fail", 409), ("/probe/clash", 500)])
async def test_a_request_that_fails_leaves_nothing_and_gives_its_connection_back(
    desk: DeskClient, probes: dict[str, Any], path: str, status: int
) -> None:
    answer = await desk.post(path)

    assert answer.status_code == status
    assert await settled(desk.app.state.database) == 0
    assert not await written(desk.app.state.database)
    assert (await desk.post("/probe/write")).status_code == 200
    assert probes["sessions"]


async def test_a_request_that_is_cut_off_gives_its_connection_and_its_turn_back(
    desk: DeskClient, probes: dict[str, Any]
) -> None:
    request = asyncio.create_task(desk.post("/probe/hang"))
    await asyncio.wait_for(probes["entered"].wait(), 5)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)

    assert await settled(desk.app.state.database) == 0
    assert not await written(desk.app.state.database)
    assert (await desk.post("/probe/write")).status_code == 200


async def test_every_request_has_a_session_of_its_own(
    desk: DeskClient, probes: dict[str, Any]
) -> None:
    sessions: list[AsyncSession] = []

    @desk.app.get("/probe/read")
    async def read(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        sessions.append(session)
        await session.execute(text("SELECT 1"))
        return {}

    await asyncio.gather(*(desk.get("/probe/read") for _ in range(20)))

    assert len({id(session) for session in sessions}) == 20
    assert await settled(desk.app.state.database) == 0
    assert not probes["sessions"]


async def test_a_reading_request_cannot_write(desk: DeskClient) -> None:
    @desk.app.get("/probe/sneak")
    async def sneak(session: Db) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        session.add(DeskMeta(key="probe", value="1"))
        await session.flush()
        return {}

    answer = await desk.get("/probe/sneak")

    assert answer.status_code >= 500
    assert not await written(desk.app.state.database)


async def test_a_commit_that_breaks_off_is_not_called_nothing(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AsyncSession.commit

    async def commit_and_break(session: AsyncSession) -> None:
        await commit(session)
        raise OperationalError("COMMIT", None, Exception(), connection_invalidated=True)

    with monkeypatch.context() as patch:
        patch.setattr(AsyncSession, "commit", commit_and_break)
        answer = await desk.post("/api/watchlist", json={"ticker": "BRK.B"})

    assert (answer.status_code, answer.json()["code"]) == (503, "UNKNOWN_OUTCOME")
    assert "BRK.B" in {row["ticker"] for row in (await desk.get("/api/watchlist")).json()}
