"""Writing one file from one snapshot of the database, in a thread."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from paperdesk.db.engine import Database
from paperdesk.jobs.export.formats import Writer, writer_of
from paperdesk.jobs.export.tables import AT_ONCE, Content, Values

_FILE: Final = "file"


class Stopped(Exception):
    """It was asked to stop; the file is not whole."""


class Written(NamedTuple):
    """A whole file, on disk for certain."""

    path: Path
    rows: int
    size: int
    """In bytes."""
    sha256: str


@dataclass(slots=True)
class Writing:
    """Writes an export into a folder of its own. `run` is for a thread, the rest for any other."""

    database: Database
    content: Content
    folder: Path
    made_at: datetime
    done: int = 0
    """Rows written so far."""
    total: int | None = None
    """Rows that there are; None: not counted yet."""
    stop: bool = False
    """Set it, and `run` raises Stopped within a stretch of rows."""

    def run(self) -> Written:
        """Write the file and return it. Raises Stopped, or OSError where it cannot be written."""
        path = self.folder / _FILE
        content = self.content
        writer = writer_of(path, content.wanted, content.columns, self.made_at)
        try:
            with self.database.long_read() as session:
                self.total = content.count(session)
                with content.rows(session) as rows:
                    self._copy(rows, writer)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        return Written(path, self.done, path.stat().st_size, digest)

    def _copy(self, rows: Iterable[Values], writer: Writer) -> None:
        for values in rows:
            if self.done % AT_ONCE == 0 and self.stop:
                raise Stopped
            writer.write(values)
            self.done += 1
