"""What lies in a SQLite database's WAL, read without SQLite, which would recover it."""

import struct
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")


def half_copied(database: Path) -> tuple[int, int]:
    """Compare the main file with the newest pages of its WAL.

    Return how many of them it has already and how many it has not: neither is zero for a file in
    the middle of a checkpoint.
    """
    log = database.with_name(database.name + "-wal").read_bytes()
    _, _, size, _, *salt, _, _ = _HEADER.unpack_from(log)
    newest: dict[int, bytes] = {}
    uncommitted: dict[int, bytes] = {}
    for start in range(_HEADER.size, len(log) - size, _FRAME.size + size):
        page, pages_after_commit, *of_frame, _, _ = _FRAME.unpack_from(log, start)
        if of_frame != salt:
            break
        uncommitted[page] = log[start + _FRAME.size :][:size]
        if pages_after_commit:
            newest |= uncommitted
            uncommitted = {}
    main = database.read_bytes()
    copied = sum(main[(page - 1) * size : page * size] == text for page, text in newest.items())
    return copied, len(newest) - copied
