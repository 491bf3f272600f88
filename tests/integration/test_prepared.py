"""Prepared statements: the same rows and the same errors, however they reach the driver."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from paperdesk.db.engine import Database
from paperdesk.db.prepared import Prepared
from paperdesk.models import DeskMeta

INSERT = Prepared(insert(DeskMeta), ["value", "key"])
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
        assert any("desk_meta" in text for text in seen) == (request.param == "watched")


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 127, 200])
def test_every_row_arrives_once(connection: Connection, count: int) -> None:
    INSERT.run(connection, [[f"value {n}", f"key {n}"] for n in range(count)])

    for n in range(count):
        assert SELECT.rows(connection, [f"key {n}"]) == [(f"value {n}",)]
    assert SELECT.rows(connection, [f"key {count}"]) == []


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
