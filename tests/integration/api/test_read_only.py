"""A desk whose books fail their proof takes no more changes, until its operator decides."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.models import AuditLog, DeskMeta, PortfolioSnapshot, Proof
from paperdesk.portfolio.snapshots import SnapshotRecorder
from support.databases import START
from support.desk import DeskClient, open_desk

FLIP = "UPDATE users_profile SET cash_balance = cash_balance + 1"
TAMPER = "UPDATE cash_movements SET amount = amount + 1 WHERE sequence = 1"


def unprotect(session: Session) -> None:
    """Take the triggers away that refuse to change the journal."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL session_replication_role = replica"))
        return
    for name in session.scalars(
        text("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    ).all():
        session.execute(text(f"DROP TRIGGER {name}"))


async def tamper(url: str, statement: str) -> None:
    """Change a database behind the desk's back."""
    database = Database(url)
    async with database.write() as session:
        await session.run_sync(unprotect)
        await session.execute(text(statement))
    await database.close()


async def verify(desk: DeskClient) -> dict[str, Any]:
    answer = await desk.post("/api/verify")
    assert answer.status_code == 200
    return answer.json()


async def reopen(desk: DeskClient, *, accept: bool) -> dict[str, Any]:
    answer = await desk.post("/api/reopen", json={"accept": accept})
    assert answer.status_code == 200
    return answer.json()


async def refused(desk: DeskClient) -> bool:
    """Say whether a trade is refused as on a desk that is read-only."""
    answer = await desk.trade("AAPL", "buy", 1)
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (503, "READ_ONLY")
    assert "`paperdesk reopen`" in answer.json()["detail"]
    return True


async def health(desk: DeskClient) -> tuple[str, Any]:
    answer = (await desk.get("/api/health")).json()
    return answer["status"], answer["read_only"]


async def actions(desk: DeskClient) -> set[str | None]:
    """Return what the audit trail says that was done to the desk itself."""
    database: Database = desk.app.state.database
    async with database.read() as session:
        query = select(AuditLog.action).where(AuditLog.user_id.is_(None))
        return set(await session.scalars(query))


async def counted(desk: DeskClient, model: Any) -> int:
    database: Database = desk.app.state.database
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


async def test_sound_books_are_proven_over_http(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 2)

    answer = await verify(desk)

    assert (answer["ok"], answer["problems"]) == (True, [])
    assert answer["checked"] == {
        "accounts": 1,
        "trades": 1,
        "cash_movements": 1,
        "position_adjustments": 0,
    }
    assert len(answer["state_hash"]) == 64
    assert (await health(desk))[1] is None


@pytest.mark.parametrize("statement", [FLIP, TAMPER], ids=["balance", "journal"])
async def test_failed_proof_makes_the_desk_read_only(desk: DeskClient, statement: str) -> None:
    await desk.trade("AAPL", "buy", 2)
    await tamper(desk.app.state.settings.database_url, statement)

    answer = await verify(desk)

    assert not answer["ok"]
    assert [problem["account"] for problem in answer["problems"]] == ["default"]
    assert await refused(desk)
    assert (await desk.post("/api/watchlist", json={"ticker": "PYPL"})).status_code == 503
    assert (await desk.delete("/api/watchlist/AAPL")).status_code == 503
    assert (await desk.get("/api/portfolio")).status_code == 200
    status, why = await health(desk)
    assert status == "degraded"
    assert "1 problem(s) in the books" in why


async def test_read_only_outlives_a_restart_and_a_mended_book(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await tamper(database_url, FLIP)
        await verify(desk)
    await tamper(database_url, FLIP.replace("+", "-"))

    async with open_desk(database_url) as desk:
        assert (await verify(desk))["ok"]
        assert await refused(desk)
        assert (await reopen(desk, accept=False))["read_only"] is None
        assert not await refused(desk)


async def test_start_notices_what_was_changed_while_the_desk_was_away(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await desk.trade("AAPL", "buy", 2)
    await tamper(database_url, FLIP)

    async with open_desk(database_url) as desk:
        assert (await health(desk))[0] == "degraded"
        assert await refused(desk)


async def test_accepted_problems_do_not_close_the_desk_again(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await desk.trade("AAPL", "buy", 2)
    await tamper(database_url, TAMPER)
    async with open_desk(database_url) as desk:
        await verify(desk)
        assert (await reopen(desk, accept=False))["read_only"]
        before = await actions(desk)
        accepted = await reopen(desk, accept=True)
        assert (accepted["read_only"], accepted["ok"]) == (None, False)
        assert await actions(desk) == before | {"proof.accepted", "desk.reopened"}
        assert not await refused(desk)
    async with open_desk(database_url) as desk:
        assert (await desk.trade("AAPL", "sell", 1)).status_code == 200
        answer = await verify(desk)
        assert [problem["sequence"] for problem in answer["problems"]] == [1]
        assert not await refused(desk)
    await tamper(database_url, FLIP)

    async with open_desk(database_url) as desk:
        assert await refused(desk)
        assert len((await verify(desk))["problems"]) == 2


async def test_accepted_balance_is_the_truth_from_there_on(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 2)
    url = desk.app.state.settings.database_url
    await tamper(url, "UPDATE positions SET quantity = quantity * 2, avg_cost = avg_cost / 2")
    assert not (await verify(desk))["ok"]
    accepted = await reopen(desk, accept=True)

    assert len(accepted["problems"]) == 1
    restarted = desk.app.state.ledger
    restarted._views.clear()
    assert (await desk.trade("AAPL", "sell", "3.5")).status_code == 200
    assert (await verify(desk))["problems"] == accepted["problems"]
    assert not await refused(desk)


async def test_no_snapshot_is_written_while_read_only(sqlite_desk: DeskClient) -> None:
    state, clock = sqlite_desk.app.state, ManualClock(START)
    recorder = SnapshotRecorder(state.statements, clock, state.standing.is_open)
    before = await counted(sqlite_desk, PortfolioSnapshot)
    await tamper(state.settings.database_url, FLIP)
    await verify(sqlite_desk)

    running = asyncio.create_task(recorder.run(state.desk.leadership))
    while clock.now() < START + timedelta(minutes=5):  # noqa: ASYNC110 - only the clock tells
        await asyncio.sleep(0.001)
    running.cancel()

    assert await counted(sqlite_desk, PortfolioSnapshot) == before


async def test_another_process_sees_it_within_a_second(postgres_url: str) -> None:
    async with open_desk(postgres_url) as one, open_desk(postgres_url) as other:
        await tamper(postgres_url, FLIP)
        await verify(one)
        other.app.state.standing._looked_at = None
        assert await refused(other)
        await tamper(postgres_url, FLIP.replace("+", "-"))
        await reopen(one, accept=False)
        other.app.state.standing._looked_at = None
        assert not await refused(other)


async def test_proof_moves_the_mark(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 2)
    await verify(desk)

    database: Database = desk.app.state.database
    async with database.read() as session:
        marks = (await session.scalars(select(Proof))).all()
        assert [(mark.user_id, mark.sequence, mark.accepted) for mark in marks] == [
            ("default", 2, False)
        ]
        assert await session.get(DeskMeta, "read_only") is None


async def test_desk_starts_with_a_damaged_acceptance_and_is_read_only(database_url: str) -> None:
    async with open_desk(database_url) as desk:
        await desk.trade("AAPL", "buy", 2)
    await tamper(database_url, FLIP)
    async with open_desk(database_url) as desk:
        await reopen(desk, accept=True)
        assert not await refused(desk)
    await tamper(database_url, "UPDATE desk_meta SET value = '[[1' WHERE key LIKE 'accepted%'")
    await tamper(database_url, "UPDATE proofs SET holdings = '[7]'")

    async with open_desk(database_url) as desk:
        assert await refused(desk)
        found = [problem["what"] for problem in (await verify(desk))["problems"]]
        assert sum("cannot be read" in what for what in found) == 2
        assert (await reopen(desk, accept=True))["read_only"] is None
        assert not await refused(desk)
