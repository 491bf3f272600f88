"""The wheel: what is in it, and that it works without the repository."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from paperdesk import __version__
from paperdesk.db.migrate import head_revision
from support.processes import ROOT


def uv() -> str:
    """Return uv, where the Makefile finds it or puts it."""
    found = shutil.which("uv") or str(ROOT / ".tools" / "uv" / "bin" / "uv")
    if not Path(found).exists():
        raise RuntimeError("uv is needed to build the wheel: `make test` installs it into .tools.")
    return found


def run(*command: str, cwd: Path, **variables: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(os.environ) | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once from the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", str(folder))
    run(uv(), *build, str(ROOT), cwd=folder)
    return next(folder.glob("*.whl"))


def sources(folder: str, inside: str, *endings: str) -> set[str]:
    """Return the files of a folder of the repository, by their names inside the wheel."""
    root = ROOT / folder
    found = (path.relative_to(root) for path in root.rglob("*") if path.suffix in endings)
    return {f"{inside}/{path.as_posix()}" for path in found}


def test_wheel_holds_the_package_its_migrations_and_nothing_else(wheel: Path) -> None:
    about = f"paperdesk-{__version__}.dist-info"

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert len(names) == len(set(names))
    assert set(names) == (
        sources("src/paperdesk", "paperdesk", ".py", ".typed")
        | sources("alembic", "paperdesk/migrations", ".py", ".mako")
        | {f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
        | {f"{about}/licenses/{name}" for name in ("LICENSE", "THIRD_PARTY.md")}
    )
    assert "paperdesk/py.typed" in names
    newest = f"paperdesk/migrations/versions/{head_revision()}_"
    assert any(name.startswith(newest) for name in names)


def test_installed_wheel_migrates_a_database_far_from_the_repository(
    wheel: Path, tmp_path: Path
) -> None:
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=empty)
    python = environment / "bin" / "python"
    run(uv(), "pip", "install", "-q", "--no-deps", "--python", str(python), str(wheel), cwd=empty)
    packages = next((environment / "lib").glob("python3.*/site-packages"))
    # What it depends on. A folder that is named like this does not bring its own .pth files, so
    # the editable install of the repository stays out of sight.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    where = run(str(python), "-c", "import paperdesk; print(paperdesk.__file__)", cwd=empty)
    made = run(
        str(environment / "bin" / "paperdesk"), "migrate", "--json", cwd=empty, DATABASE_URL="d.db"
    )

    assert Path(where.strip()).is_relative_to(environment)
    assert json.loads(made) == {
        "database": str(empty / "d.db"),
        "from": None,
        "to": head_revision(),
    }
