"""Say whether the migrations make the schema of the models, on both databases.

`make check` runs this. Each kind of database is built from nothing in a temporary folder by
`alembic upgrade head`; `alembic check` then names every difference, and the exit code is not zero.
"""

import os
import sys
import tempfile
from pathlib import Path

from support.postgres import running_server
from support.processes import alembic


def difference(url: str) -> str | None:
    """Return what `alembic check` says about a migrated database, None if it is clean."""
    checked = alembic("-x", f"url={url}", "check")
    if checked.code == 0:
        return None
    return (checked.out + checked.err).strip()


def differences(url: str) -> str | None:
    """Migrate an empty database and return how it differs from the models, None if not at all."""
    migrated = alembic("-x", f"url={url}", "upgrade", "head")
    if migrated.code:
        return migrated.err.strip()
    return difference(url)


def main() -> int:
    """Check both kinds and print what differs."""
    with tempfile.TemporaryDirectory(prefix="paperdesk-check-") as folder:
        found = {"SQLite": differences(str(Path(folder) / "check.db"))}
        with (
            running_server(os.environ.get("TEST_POSTGRES_URL")) as server,
            server.database() as url,
        ):
            found["PostgreSQL"] = differences(url)
    for name, what in found.items():
        sys.stdout.write(f"{name}: {what or 'the migrations make the schema of the models'}\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
