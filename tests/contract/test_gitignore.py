"""What a checkout collects stays out of the repository, and the example of settings in it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.processes import ROOT


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new repository with our `.gitignore` and nobody's personal one."""
    git = shutil.which("git")
    assert git, "git is needed"
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run([git, "init", "-q", str(folder)], check=True)
    shutil.copy(ROOT / ".gitignore", folder)
    return folder


def ignored(repository: Path, path: str) -> bool:
    git = shutil.which("git") or "git"
    answer = subprocess.run(
        [git, "-c", "core.excludesFile=", "check-ignore", "-q", path], cwd=repository, check=False
    )
    assert answer.returncode in (0, 1)
    return answer.returncode == 0


@pytest.mark.parametrize(
    "path",
    [
        ".venv/bin/python",
        "venv/bin/python",
        "src/paperdesk/__pycache__/app.cpython-311.pyc",
        ".pytest_cache/README.md",
        ".ruff_cache/0.17/x",
        ".env",
        ".env.local",
        "paperdesk.db",
        "data/desk.db-wal",
        "data/desk.db-shm",
        "desk.db.lock",
        "desk.db.migrate.lock",
        "desk.before-0001-20261120T150000000000.db",
        "desk.sqlite3",
        "desk.sqlite3-wal",
        "db/finally.db",
        ".coverage",
        "htmlcov/index.html",
        "dist/paperdesk.whl",
        "build/lib/x.py",
    ],
)
def test_what_work_leaves_behind_is_ignored(repository: Path, path: str) -> None:
    assert ignored(repository, path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "src/paperdesk/db/engine.py",
        "alembic/env.py",
        "docs/schema.sql",
        "tests/migrations/test_schema.py",
        "locks/run.txt",
    ],
)
def test_what_belongs_to_the_repository_is_not_ignored(repository: Path, path: str) -> None:
    assert not ignored(repository, path)
