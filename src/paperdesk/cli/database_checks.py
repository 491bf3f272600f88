"""The doctor's checks of the database, read without owning or changing it."""

import sqlite3
from pathlib import Path
from typing import Final

from paperdesk.cli import reading
from paperdesk.cli.checks import Check, holder, size
from paperdesk.cli.config import place
from paperdesk.cli.failures import sentence
from paperdesk.db.inspection import VERSION_TABLE, contents, is_empty, snapshot
from paperdesk.db.migrate import check_revision, head_revision
from paperdesk.errors import DatabaseUnusable
from paperdesk.ledger.proof.standing import REASON
from paperdesk.models import Base
from paperdesk.settings import Settings

_REVISION: Final = "SELECT version_num FROM alembic_version"
_WAL_FORMAT: Final = b"\x02\x02"
_HEADER: Final = b"SQLite format 3\x00"
_FIXED: Final = (3, 51, 3)
_BACKPORTS: Final = frozenset({(3, 50, 7), (3, 44, 6)})


def sqlite(path: Path) -> list[Check]:
    """Check a SQLite file."""
    library = _library()
    if path.is_dir():
        advice = "Give the path of a file in it as DATABASE_URL."
        return [Check("database", "problem", f"{path} is a folder", advice), library]
    try:
        if is_empty(path):
            advice = "`paperdesk serve` makes it."
            return [Check("database", "warning", f"{path} does not exist yet", advice), library]
        with path.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        return [Check("database", "problem", f"{path}: {error.strerror}"), library]
    if header[:16] != _HEADER:
        advice = "Give another path as DATABASE_URL, or restore a backup."
        return [Check("database", "problem", f"{path} is not a SQLite database", advice), library]
    try:
        known = reading.tables(f"sqlite+aiosqlite:///{path}")
        return [
            _file(path),
            _journal_mode(header),
            library,
            *_content(f"sqlite+aiosqlite:///{path}", known),
            *_whole(path),
        ]
    except (DatabaseUnusable, sqlite3.Error) as error:
        advice = "Restore it from a backup."
        return [Check("database", "problem", sentence(error), advice), library]


def postgresql(settings: Settings) -> list[Check]:
    """Check a PostgreSQL database."""
    url = settings.database_url
    try:
        version, used = reading.ask(
            url, "SHOW server_version", "SELECT pg_database_size(current_database())"
        )
        known = reading.tables(url)
        where = f"{place(settings)}, {size(int(used[0][0]))}"
        return [
            Check("database", "ok", where),
            Check("PostgreSQL", "ok", str(version[0][0])),
            *_content(url, known),
        ]
    except (DatabaseUnusable, ModuleNotFoundError) as error:
        return [Check("database", "problem", sentence(error))]


def _file(path: Path) -> Check:
    found = f"{path}, {size(path.stat().st_size)}"
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        found += f", WAL {size(wal.stat().st_size)}"
    pid = holder(path)
    found += f", in use by process {pid}" if pid else ", not in use"
    if not path.stat().st_mode & 0o222:
        return Check("database", "problem", found, "It is read-only: chmod u+w.")
    return Check("database", "ok", found)


def _journal_mode(header: bytes) -> Check:
    if header[18:20] == _WAL_FORMAT:
        return Check("journal", "ok", "journal_mode=wal")
    advice = "The next `paperdesk serve` switches it to WAL."
    return Check("journal", "warning", "journal_mode is not wal", advice)


def _library() -> Check:
    version = sqlite3.sqlite_version_info
    if version >= _FIXED or version in _BACKPORTS:
        return Check("SQLite", "ok", sqlite3.sqlite_version)
    return Check(
        "SQLite",
        "warning",
        f"{sqlite3.sqlite_version} has the WAL-reset bug (fixed in 3.51.3)",
        "The desk avoids it: it alone writes and checkpoints. Open the file with no other "
        "program that writes while the desk runs.",
    )


def _content(url: str, known: set[str]) -> list[Check]:
    revisions: list[str] = []
    if VERSION_TABLE in known:
        (rows,) = reading.ask(url, _REVISION)
        revisions = [str(revision) for (revision,) in rows]
    try:
        revision = check_revision(contents(known, revisions), Base.metadata.tables, "The database")
    except DatabaseUnusable as error:
        return [Check("revision", "problem", sentence(error))]
    head = head_revision()
    if revision is None:
        return [Check("revision", "warning", "empty", "`paperdesk serve` fills it.")]
    if revision != head:
        advice = "`paperdesk migrate`, or the next `paperdesk serve`, brings it there."
        return [Check("revision", "warning", f"{revision}, the newest is {head}", advice)]
    return [Check("revision", "ok", f"{head}, the newest"), *_books(url)]


def _books(url: str) -> list[Check]:
    """Say that the desk is read-only, where it is."""
    (rows,) = reading.ask(url, f"SELECT value FROM desk_meta WHERE key = '{REASON}'")  # noqa: S608
    advice = "`paperdesk verify` shows what is wrong, `paperdesk reopen` takes changes again."
    return [Check("books", "problem", str(reason), advice) for (reason,) in rows]


def _whole(path: Path) -> list[Check]:
    with snapshot(path) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        damage = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
        orphans = sorted({str(row[0]) for row in connection.execute("PRAGMA foreign_key_check")})
    whole = (
        Check("integrity", "ok", f"quick_check ok, {pages:,} pages of {page:,} bytes")
        if damage == ["ok"]
        else Check("integrity", "problem", "; ".join(damage), "Restore it from a backup.")
    )
    links = (
        Check("references", "ok", "foreign_key_check ok")
        if not orphans
        else Check(
            "references",
            "problem",
            f"rows without what they refer to, in {', '.join(orphans)}",
            "Restore it from a backup.",
        )
    )
    return [whole, links]
