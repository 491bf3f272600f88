"""Prepared statements: the same rows and the same errors, however they reach the driver."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Connection, bindparam, event, insert, null, select
from sqlalchemy.exc import IntegrityError, OperationalError

from paperdesk.db.engine import Database
from paperdesk.db.prepared import Prepared, prepared_update
from paperdesk.jobs.store import ROWS
from paperdesk.models import DeskMeta, Job, JobRow, RowStatus

NOW: Final = datetime(2026, 3, 2, tzinfo=UTC)
COMPLETED: Final = RowStatus.completed
INSERT = Prepared(insert(DeskMeta), ["value", "key"])
AS_GIVEN = Prepared(insert(DeskMeta), ["key", "value"])
UPDATE = prepared_update(ROWS, ("status", "effect", "processed_at"), lease=null())
SELECT = Prepared(select(DeskMeta.value).where(DeskMeta.key == bindparam("wanted")), ["wanted"])


@pytest.fixture(params=["directly", "watched"])
def connection(sqlite: Database, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection of the standard driver; `watched`: somebody listens to what is executed."""
    seen: list[str] = []

    def note(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    with sqlite.sync_engine.connect() as connection:
        if request.param == "watched":
            event.listen(sqlite.sync_engine, "before_cursor_execute", note)
        yield connection
        told = any("desk_meta" in text or "WITH said" in text for text in seen)
        assert told == (request.param == "watched")


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 127, 200])
def test_every_row_arrives_once(connection: Connection, count: int) -> None:
    INSERT.run(connection, [[f"value {n}", f"key {n}"] for n in range(count)])

    for n in range(count):
        assert SELECT.rows(connection, [f"key {n}"]) == [(f"value {n}",)]
    assert SELECT.rows(connection, [f"key {count}"]) == []


def test_values_that_need_nothing_arrive_as_they_are(connection: Connection) -> None:
    AS_GIVEN.run(connection, [["key", "value"], ["other", "values"]])
    assert SELECT.rows(connection, ["other"]) == [("values",)]


@pytest.mark.parametrize("count", [1, 2, 3, 65, 200])
def test_each_row_is_updated_with_what_is_said_of_it(connection: Connection, count: int) -> None:
    connection.execute(insert(Job).values(id="job", name="job", created_at=NOW))
    row = {"job_id": "job", "data": {}, "created_at": NOW, "lease": "one"}
    numbers = range(count + 1)
    connection.execute(insert(JobRow), [row | {"id": f"row {n}", "row_number": n} for n in numbers])
    # Some say the same, some nothing, some each another thing.
    said = {
        n: (COMPLETED, {"n": n} if n % 3 else None, NOW + timedelta(n % 2)) for n in numbers[1:]
    }
    UPDATE.run(connection, [(f"row {n}", *each) for n, each in said.items()])

    columns = (JobRow.row_number, JobRow.status, JobRow.effect, JobRow.processed_at, JobRow.lease)
    found = {n: tuple(rest) for n, *rest in connection.execute(select(*columns))}
    assert found == {0: (RowStatus.pending, None, None, "one")} | {
        n: (*each, None) for n, each in said.items()
    }
    nothing = "SELECT count(*) FROM job_rows WHERE effect IS NULL"
    assert connection.exec_driver_sql(nothing).scalar() == 1 + count // 3


def test_of_no_rows_nothing_is_run(connection: Connection) -> None:
    INSERT.run(connection, [])
    assert SELECT.rows(connection, ["a"]) == []


def test_they_run_in_the_connections_transaction(connection: Connection) -> None:
    INSERT.run(connection, [["a", "a"]])
    assert connection.in_transaction()
    connection.rollback()
    assert SELECT.rows(connection, ["a"]) == []


def test_what_the_database_refuses_is_an_error_of_sqlalchemy(connection: Connection) -> None:
    with pytest.raises(IntegrityError, match="UNIQUE constraint failed") as refused:
        INSERT.run(connection, [["one", "same"], ["two", "same"]])
    assert getattr(refused.value.orig, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_PRIMARYKEY"


def test_what_the_file_cannot_do_is_an_error_of_sqlalchemy(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE desk_meta")
    with pytest.raises(OperationalError, match="no such table"):
        SELECT.rows(connection, ["a"])
