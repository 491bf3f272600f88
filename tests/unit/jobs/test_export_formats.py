"""What a workbook does where it ends: a full sheet, and a full disk."""

import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paperdesk.jobs.export.formats import Xlsx
from support.databases import START


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have the system refuse what would make a file larger, in bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path) -> None:
    book = Xlsx(tmp_path / "file", "trades", ["note"], START)
    for number in range(100):
        book.write([f"{number}"])
    with files_of_at_most(1_000), pytest.raises(OSError, match="File too large"):
        book.close()
    book.abandon()


def test_a_full_sheet_is_followed_by_another(tmp_path: Path) -> None:
    book = Xlsx(tmp_path / "file", "trades", ["note"], START, sheet_rows=3)
    for number in range(5):
        book.write([f"{number}"])
    book.close()
    with zipfile.ZipFile(tmp_path / "file") as made:
        sheets = sorted(name for name in made.namelist() if "worksheets/sheet" in name)
        rows = [made.read(name).count(b"<row ") for name in sheets]
    assert rows == [3, 3, 2]
