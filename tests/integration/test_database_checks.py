"""What the doctor says about the revision of a database: the rules are those of a migration."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from paperdesk.cli import database_checks
from paperdesk.cli.checks import Check
from support.databases import SqliteTemplate


def revision_check(path: Path, *statements: str) -> Check:
    """Return the doctor's check of the revision after something was done to the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    (found,) = [one for one in database_checks.sqlite(path) if one.name == "revision"]
    return found


@pytest.mark.parametrize(
    ("statement", "state", "said"),
    [
        ("SELECT 1", "ok", "the newest"),
        ("UPDATE alembic_version SET version_num = '0001'", "warning", "the newest is"),
        ("UPDATE alembic_version SET version_num = '9999'", "problem", "newer than this program"),
        ("INSERT INTO alembic_version VALUES ('0001')", "problem", "half-migrated"),
        ("DROP TABLE quotes", "problem", "lacks quotes"),
        ("DROP TABLE alembic_version", "problem", "belongs to another program"),
    ],
    ids=repr,
)
def test_doctor_judges_a_revision_as_a_migration_does(
    sqlite_template: SqliteTemplate, tmp_path: Path, statement: str, state: str, said: str
) -> None:
    found = revision_check(sqlite_template.copy_to(tmp_path / "desk.db"), statement)

    assert found.state == state
    assert said in found.found + found.advice


def test_doctor_tells_that_a_desk_is_read_only(
    sqlite_template: SqliteTemplate, tmp_path: Path
) -> None:
    path = sqlite_template.copy_to(tmp_path / "desk.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO desk_meta VALUES ('read_only', 'The desk is read-only.')")

    (found,) = [one for one in database_checks.sqlite(path) if one.name == "books"]

    assert (found.state, found.found) == ("problem", "The desk is read-only.")
    assert "paperdesk reopen" in found.advice
