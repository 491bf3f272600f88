"""A disk that fails on command: full, dead in the middle of a write, or forgetful without sync.

A small C library (`disk.c`) is preloaded into the desk's process and stands between SQLite and the
files. The test turns its knobs while the desk runs, through memory that both share.
"""

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from support.program import Program

SOURCE: Final = Path(__file__).with_suffix(".c")
_NOTE: Final = struct.Struct("=5q")
_FORGET_OLDER: Final = {2, 4}
"""A sync of the file, or its end."""
_FILES: Final = ("", "-wal")


class Control(ctypes.Structure):
    """The knobs and the counters, laid out as in `disk.c`."""

    _fields_: ClassVar = [
        (name, ctypes.c_int64)
        for name in (
            "room",
            "fatal_write",
            "fatal_sync",
            "failing_syncs",
            "database_writes",
            "wal_writes",
            "wal_syncs",
            "refusals",
            "died",
        )
    ]
    room: int
    fatal_write: int
    fatal_sync: int
    failing_syncs: int
    database_writes: int
    wal_writes: int
    wal_syncs: int
    refusals: int
    died: int


class Disk:
    """The disk under one SQLite database, and its knobs in `control`."""

    def __init__(self, library: Path, database: Path) -> None:
        self.library = library
        self.database = database.resolve()
        self._control = database.with_name("disk.control")
        self._journal = database.with_name("disk.journal")
        self._control.write_bytes(bytes(ctypes.sizeof(Control)))
        with self._control.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), ctypes.sizeof(Control))
        self.control = Control.from_buffer(self._memory)
        self.control.room = -1

    def under(self, program: Program, *, forgetful: bool = False) -> Program:
        """Return the program with its database on this disk.

        A forgetful disk keeps what `cut_power` needs.
        """
        more = {"DISK_JOURNAL": str(self._journal)} if forgetful else {}
        return program.with_environment(
            LD_PRELOAD=str(self.library),
            DISK_DATABASE=str(self.database),
            DISK_CONTROL=str(self._control),
            **more,
        )

    def mend(self) -> None:
        """Be a good disk again after it was the death of a desk."""
        assert self.control.died
        self.control.died = self.control.fatal_write = self.control.fatal_sync = 0

    def cut_power(self) -> int:
        """Take back every write that no sync had made safe; return how many. The desk is dead."""
        notes = list(self._notes())
        lost = 0
        synced: set[int] = set()
        for kind, file, offset, size, was in reversed(notes):
            if kind in _FORGET_OLDER:
                synced.add(file)
            elif file not in synced:
                path = self.database.with_name(self.database.name + _FILES[file])
                if path.exists():
                    with path.open("r+b") as torn:
                        torn.seek(offset)
                        torn.write(was)
                        torn.truncate(size)
                    lost += 1
        self._journal.write_bytes(b"")
        return lost

    def _notes(self) -> Iterator[tuple[int, int, int, int, bytes]]:
        with self._journal.open("rb") as file:
            while len(head := file.read(_NOTE.size)) == _NOTE.size:
                kind, number, offset, size, kept = _NOTE.unpack(head)
                yield kind, number, offset, size, file.read(kept)


def build(folder: Path) -> Path:
    """Compile the library. Raises where there is no C compiler: nothing is skipped."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("These tests need a C compiler: apt-get install gcc libc6-dev.")
    library = folder / "disk.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"disk.c could not be compiled: {done.stderr}")
    return library
