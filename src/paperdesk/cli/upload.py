"""A file on its way to the desk: from the disk, piece by piece, and from its beginning again."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from paperdesk.cli.failures import CommandFailed, Exit

_BLOCK: Final = 1 << 20
STANDARD_INPUT: Final = "standard input"


class Upload:
    """A file as it is now: what grows behind its end meanwhile is not sent.

    `shown` is told how many of its `size` bytes were read. Raises CommandFailed where it cannot be.
    """

    def __init__(self, name: str, source: BinaryIO) -> None:
        self.name = name
        self.shown: Callable[[int], None] = lambda _: None
        self._source = source
        # Standard input may be a file of which somebody read the beginning.
        self._begins = source.tell()
        self.size = source.seek(0, os.SEEK_END) - self._begins
        self.seek(0)

    def read(self, size: int = -1, /) -> bytes:
        """Return at most that many bytes."""
        left = self.size - self._at
        try:
            block = self._source.read(left if size < 0 else min(size, left))
        except OSError as error:
            raise _unreadable(self.name, error) from error
        if left and not block:
            raise CommandFailed(
                f"{self.name} became shorter while it was sent. Nothing was imported.", Exit.REFUSED
            )
        self._at += len(block)
        self.shown(self._at)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go on at another place, and return it."""
        self._at = offset if whence == os.SEEK_SET else self.size + offset
        self._source.seek(self._begins + self._at)
        return self._at

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._at


@contextmanager
def opened(file: str) -> Generator[Upload]:
    """Open a file to be sent; `-` is standard input. Raises CommandFailed where it cannot be read.

    A pipe gives its bytes once, so they are kept in a temporary file until they are sent.
    """
    name = STANDARD_INPUT if file == "-" else file
    with ExitStack() as stack:
        try:
            source = sys.stdin.buffer if file == "-" else stack.enter_context(Path(file).open("rb"))
            if not source.seekable():
                kept = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(source, kept, _BLOCK)
                kept.seek(0)
                source = kept
            upload = Upload(name, source)
        except OSError as error:
            raise _unreadable(name, error) from error
        yield upload


def _unreadable(name: str, error: OSError) -> CommandFailed:
    return CommandFailed(f"{name} cannot be read: {error.strerror}.", Exit.USAGE)
