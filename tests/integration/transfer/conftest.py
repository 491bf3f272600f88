"""Databases to copy a desk to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paperdesk.settings import database_url as driver_url
from support.postgres import PostgresServer


@pytest.fixture
def empty_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with postgres_server.database() as url:
        yield driver_url(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database to copy to."""
    if request.param == "sqlite":
        return driver_url(tmp_path / "target.db")
    return str(request.getfixturevalue("empty_postgres"))
