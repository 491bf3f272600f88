"""The folder that exports are kept in for a while. A file has its final name only once whole."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from paperdesk.clock import Clock
from paperdesk.jobs.export.schemas import ExportFormat

LOOK: Final = 3600.0
"""Seconds between two looks for files that are old."""
_UNFINISHED: Final = "unfinished-"
_PRIVATE_FOLDER: Final = 0o700


class ExportFolder:
    """Files by the ids of their jobs; each is kept for a number of days, or until its job goes."""

    def __init__(self, path: Path, kept: timedelta, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self.kept = kept

    def file_of(self, job_id: str, written: ExportFormat) -> Path:
        """Return where the file of a job is, if there is one."""
        return self._path / f"{job_id}.{written}"

    @contextmanager
    def unfinished(self) -> Generator[Path]:
        """Give a new folder for a file that is being written; it is removed in the end."""
        self._path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._path))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def keep(self, path: Path, job_id: str, written: ExportFormat) -> None:
        """Give a whole file its final name, in the place of an earlier one of the job."""
        path.replace(self.file_of(job_id, written))
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, job_id: str) -> None:
        """Remove the file of a job, if there is one."""
        for written in ExportFormat:
            self.file_of(job_id, written).unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove files that are old, and what a process left unfinished that went down."""
        oldest = self._clock.now() - self.kept
        suffixes = {f".{written}" for written in ExportFormat}
        for entry in self._path.iterdir() if self._path.is_dir() else ():
            # Another process may be first.
            with suppress(FileNotFoundError):
                if datetime.fromtimestamp(entry.stat().st_mtime, UTC) >= oldest:
                    continue
                if entry.name.startswith(_UNFINISHED):
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry.suffix in suffixes:
                    entry.unlink()
