"""From where and to where no desk is copied: nothing is changed then."""

from pathlib import Path

import pytest

from paperdesk.errors import DatabaseHeld, DatabaseUnusable
from paperdesk.settings import database_url as driver_url
from paperdesk.settings import sqlite_path
from paperdesk.transfer import copy_desk
from support.copying import execute, ignored, migrated, tables_of, unchanged
from support.processes import running


async def test_a_target_that_holds_anything_is_left_as_it_is(
    sqlite_url: str, database_url: str, tmp_path: Path
) -> None:
    source = driver_url(tmp_path / "source.db")
    await copy_desk(sqlite_url, source, ignored)

    async with unchanged(database_url):
        with pytest.raises(DatabaseUnusable, match="not empty"):
            await copy_desk(source, database_url, ignored)


async def test_a_desk_is_not_copied_onto_itself(sqlite_url: str, postgres_url: str) -> None:
    for url in (sqlite_url, postgres_url):
        async with unchanged(url):
            with pytest.raises(DatabaseUnusable, match="not empty"):
                await copy_desk(url, url, ignored)


async def test_another_programs_database_is_no_target(sqlite_url: str, target: str) -> None:
    execute(target, "CREATE TABLE theirs (id integer)")

    with pytest.raises(DatabaseUnusable, match="belongs to another program"):
        await copy_desk(sqlite_url, target, ignored)

    execute(target, "INSERT INTO theirs VALUES (1)")


async def test_an_older_desk_is_migrated_first_and_by_somebody_else(
    target: str, tmp_path: Path, empty_postgres: str
) -> None:
    for source in (driver_url(tmp_path / "old.db"), empty_postgres):
        if source == target:
            continue
        await migrated(source, "0002")
        with pytest.raises(DatabaseUnusable, match="`paperdesk migrate` brings it there"):
            await copy_desk(source, target, ignored)


async def test_without_a_desk_there_is_nothing_to_copy_and_nothing_is_made(
    target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()

    with pytest.raises(DatabaseUnusable, match="no desk"):
        await copy_desk(driver_url(folder / "none.db"), target, ignored)

    assert list(folder.iterdir()) == []
    path = sqlite_path(target)
    assert path is None or not path.exists()


async def test_a_file_that_is_in_use_is_not_copied_and_not_copied_to(
    sqlite_url: str, tmp_path: Path
) -> None:
    hold = (
        "import sys, time\nfrom paperdesk.db.lock import Ownership\nfrom pathlib import Path\n"
        "lock = Ownership.take(Path(sys.argv[1]))\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    target = tmp_path / "target.db"
    for held in (sqlite_path(sqlite_url), target):
        with (
            running(hold, str(held)) as process,
            pytest.raises(DatabaseHeld, match=str(process.pid)),
        ):
            await copy_desk(sqlite_url, driver_url(target), ignored)


async def test_a_desk_whose_books_are_not_proven_is_not_copied(
    sqlite_url: str, target: str
) -> None:
    execute(sqlite_url, "UPDATE users_profile SET cash_balance = cash_balance + 1")

    with pytest.raises(DatabaseUnusable, match=r"Cash is .*`paperdesk verify` shows"):
        await copy_desk(sqlite_url, target, ignored)

    assert tables_of(target) == set()
