"""Deleting a job takes its rows and its log with it, and nothing else."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from paperdesk.db.engine import Database
from paperdesk.models import AuditLog, EventType, Job, JobRow, LogLevel

AGAIN = """INTO audit_logs (id, timestamp, level, event_type, message)
    SELECT id, timestamp, level, event_type, 'rewritten' FROM audit_logs WHERE job_id IS NULL"""
FIRST = "SELECT min(id) FROM audit_logs WHERE job_id IS NULL"
PLACE = "SELECT min(rowid) FROM audit_logs WHERE job_id IS NULL"
BEHIND = """INTO audit_logs (rowid, id, timestamp, level, event_type, message)
    SELECT rowid, 'another', timestamp, level, event_type, 'rewritten'
    FROM audit_logs WHERE job_id IS NULL LIMIT 1"""


def line(message: str) -> AuditLog:
    return AuditLog(level=LogLevel.INFO, event_type=EventType.state_change, message=message)


@pytest.fixture
async def job_id(database: Database) -> str:
    """A job with rows and a log, beside another job and a line that belongs to neither."""
    job, other = Job(name="mine"), Job(name="other")
    job.rows = [JobRow(row_number=n, data={"n": n}) for n in (1, 2, 3)]
    job.logs = [line("begun"), line("ended")]
    other.rows = [JobRow(row_number=1, data={})]
    other.logs = [line("of the other")]
    async with database.write() as session:
        session.add_all([job, other, line("of the desk")])
    return job.id


async def what_is_left(database: Database) -> tuple[list[str], int, list[str]]:
    async with database.read() as session:
        jobs = (await session.scalars(select(Job.name))).all()
        rows = await session.scalar(select(func.count()).select_from(JobRow))
        # Those of this test: the seed wrote some too.
        mine = select(AuditLog.message).where(AuditLog.action.is_(None))
        lines = (await session.scalars(mine.order_by(AuditLog.message))).all()
    return list(jobs), rows or 0, list(lines)


@pytest.mark.parametrize("way", ["session.delete", "ORM statement", "raw SQL"])
async def test_deleted_job_takes_its_rows_and_lines_and_leaves_the_rest(
    database: Database, job_id: str, way: str
) -> None:
    async with database.write() as session:
        match way:
            case "session.delete":
                # Its rows are not loaded and must not be: the database deletes them.
                await session.delete(await session.get_one(Job, job_id))
            case "ORM statement":
                await session.execute(delete(Job).where(Job.id == job_id))
            case _:
                await session.execute(text("DELETE FROM jobs WHERE id = :id"), {"id": job_id})
    assert await what_is_left(database) == (["other"], 1, ["of the desk", "of the other"])


async def test_deleting_a_job_of_any_size_is_one_statement(database: Database, job_id: str) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    async with database.write() as session:
        job = await session.get_one(Job, job_id)
        event.listen(database.writer.sync_engine, "before_cursor_execute", note)
        await session.delete(job)
        await session.flush()
        event.remove(database.writer.sync_engine, "before_cursor_execute", note)
    assert [statement.split()[:3] for statement in statements] == [["DELETE", "FROM", "jobs"]]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_logs SET message = 'rewritten' WHERE job_id IS NULL",
        "UPDATE audit_logs SET job_id = (SELECT min(id) FROM jobs) WHERE job_id IS NULL",
        "DELETE FROM audit_logs WHERE job_id IS NULL",
        f"INSERT {AGAIN} ON CONFLICT (id) DO UPDATE SET message = excluded.message",
    ],
)
async def test_who_did_what_cannot_be_rewritten(
    database: Database, job_id: str, change: str
) -> None:
    assert job_id
    await refused_to(database, change)


@pytest.mark.parametrize(
    "change",
    [
        f"INSERT OR REPLACE {AGAIN}",
        f"UPDATE OR REPLACE audit_logs SET id = ({FIRST}) WHERE job_id IS NOT NULL",
        f"INSERT OR REPLACE {BEHIND}",
        f"REPLACE {BEHIND}",
        f"UPDATE OR REPLACE audit_logs SET rowid = ({PLACE}) WHERE job_id IS NOT NULL",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
async def test_who_did_what_cannot_be_replaced_on_sqlite(
    sqlite: Database, change: str, recursive: str
) -> None:
    """By the desk, whose connections run triggers for that, nor by any other program."""
    async with sqlite.write() as session:
        job = Job(name="mine")
        job.logs = [line("begun")]
        session.add_all([job, line("of the desk")])
    assert sqlite.path is not None
    with closing(sqlite3.connect(sqlite.path)) as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        with pytest.raises(sqlite3.IntegrityError, match="audit_logs is append-only"):
            connection.execute(change)


@pytest.mark.parametrize("table", ["audit_logs", "jobs"])
async def test_who_did_what_cannot_be_truncated(postgresql: Database, table: str) -> None:
    await refused_to(postgresql, f"TRUNCATE {table} CASCADE")


async def refused_to(database: Database, change: str) -> None:
    async with database.async_session_maker() as session:
        with pytest.raises(DBAPIError, match="audit_logs is append-only"):
            await session.execute(text(change))


async def test_rows_of_a_job_are_never_loaded_by_accident(database: Database, job_id: str) -> None:
    async with database.read() as session:
        job = await session.get_one(Job, job_id)
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = job.rows
