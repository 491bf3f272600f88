"""A desk that can be killed, and the disk that fails under it."""

from pathlib import Path

import pytest

from support.disk import build
from support.program import Program


@pytest.fixture(scope="session")
def disk_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between SQLite and the disk."""
    return build(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The command, with prices that are the same in every desk; the test names the database."""
    return Program(
        tmp_path, {"XDG_DATA_HOME": str(tmp_path), "PAPERDESK_SIMULATOR_SEED": "20261120"}
    )
