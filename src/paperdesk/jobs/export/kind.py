"""The kind `export`: a table of the account as a file, written while the desk goes on."""

import asyncio
from asyncio import Lock, to_thread
from typing import Any, Final

import structlog

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidState
from paperdesk.jobs.export.folder import LOOK, ExportFolder
from paperdesk.jobs.export.schemas import ExportRow
from paperdesk.jobs.export.tables import Content
from paperdesk.jobs.export.writing import Writing, Written
from paperdesk.jobs.kinds import Tell
from paperdesk.jobs.reading import read_row
from paperdesk.models import Job

NAME: Final = "export"
_LOOK: Final = 0.5
"""Seconds between two looks at how far a file is, and whether it is still wanted."""

log = structlog.get_logger()


class Export:
    """Writes one file at a time; begun anew it starts from the beginning, at a later snapshot."""

    name = NAME
    whole_desk = False
    most_rows = 1

    def __init__(self, database: Database, folder: ExportFolder, clock: Clock) -> None:
        self._database = database
        self._folder = folder
        self._clock = clock
        self._turn = Lock()

    def check(self, data: Any, told: Any) -> ExportRow:  # noqa: ARG002 - it has no file
        """Return what a row asks for. Raises InvalidRequest."""
        return read_row(ExportRow, data)

    async def run(self, job: Job, said: ExportRow, tell: Tell) -> dict[str, Any]:
        """Write the file, and return what it is. Raises InvalidState where it cannot be written."""
        async with self._turn:
            # It may have been stopped while it waited for its turn.
            await tell()
            try:
                written = await self._write(job, said, tell)
            except OSError as error:
                raise InvalidState(f"The file cannot be written: {error.strerror}.") from error
        made_at = f"{job.created_at:%Y%m%dT%H%M%SZ}"
        return {
            "file": f"{job.user_id}-{said.table}-{made_at}.{said.format}",
            "format": said.format,
            "rows": written.rows,
            "bytes": written.size,
            "sha256": written.sha256,
        }

    async def prune(self) -> None:
        """Remove old files, every hour, for ever."""
        while True:
            try:
                await to_thread(self._folder.prune)
            except OSError as error:
                log.warning("exports.not_pruned", error=str(error))
            await self._clock.sleep(LOOK)

    async def _write(self, job: Job, said: ExportRow, tell: Tell) -> Written:
        with self._folder.unfinished() as folder:
            content = Content(job.user_id, said)
            writing = Writing(self._database, content, folder, self._clock.now())
            thread = asyncio.create_task(to_thread(writing.run))
            try:
                while not (await asyncio.wait({thread}, timeout=_LOOK))[0]:
                    await tell(writing.done, writing.total)
            finally:
                # Before its folder goes, also where this task is cancelled.
                writing.stop = True
                await asyncio.wait({thread})
                # Where this was cancelled, nobody else asks how it ended.
                thread.exception()
            written = thread.result()
            # Who is not to write any more must not put the file there either.
            await tell(written.rows, written.rows)
            await to_thread(self._folder.keep, written.path, job.id, said.format)
            return written
