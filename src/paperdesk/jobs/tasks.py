"""The kinds that book nothing: a proof of the books, and a copy of them."""

import asyncio
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from paperdesk.db.engine import Database
from paperdesk.errors import InvalidState
from paperdesk.jobs.kinds import Tell
from paperdesk.ledger.proof.keeper import Keeper
from paperdesk.models import Job

_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


class Verify:
    """Proves the books, as `POST /api/verify` does; the desk closes itself where they are wrong."""

    name = "verify"
    whole_desk = True

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def run(self, job: Job, said: None, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - a proof is all there is to do
        """Prove them, and return how many problems there are; `paperdesk verify` names them."""
        proven = await self._keeper.prove()
        problems = len(proven.verdict.problems)
        return {"ok": not problems, "problems": problems, "state_hash": proven.state_hash}


class Backup:
    """Copies a SQLite database while it is used, and keeps the newest copies."""

    name = "backup"
    whole_desk = True

    def __init__(self, database: Database, folder: Path | None, kept: int) -> None:
        """Without a folder the copies go into `backups` beside the database."""
        self._path = database.path
        self._folder = folder
        self._kept = kept

    async def run(self, job: Job, said: None, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - it is told nothing
        """Make a copy, named for when the job was made; begun anew it takes the place of its own.

        Raises InvalidState on PostgreSQL, and where the folder cannot be written.
        """
        if self._path is None:
            raise InvalidState("A PostgreSQL database is backed up by pg_dump, which knows how.")
        try:
            made = await asyncio.to_thread(self._copy, self._path, job)
        except (OSError, sqlite3.Error) as error:
            raise InvalidState(f"The copy cannot be made: {error}.") from error
        return {"file": made.name, "bytes": made.stat().st_size}

    def _copy(self, source: Path, job: Job) -> Path:
        folder = self._folder or source.parent / "backups"
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        copy = folder / f"{source.stem}-{job.created_at:%Y%m%dT%H%M%S%f}.db"
        unfinished = copy.with_suffix(".unfinished")
        with suppress(FileNotFoundError):
            unfinished.unlink()
        # Not readable by others at any moment.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
        with (
            closing(sqlite3.connect(source)) as original,
            closing(sqlite3.connect(unfinished)) as target,
        ):
            original.backup(target)
        unfinished.replace(copy)
        for old in sorted(folder.glob(f"{source.stem}-*T*.db"))[: -self._kept]:
            old.unlink()
        return copy
