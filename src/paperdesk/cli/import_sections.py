"""Rejected rows of a file of sections, each under the header that it had there.

The job keeps the lines of headers as rows that it skipped. The width of a section is strict, so its
header has the desk's columns, too.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from paperdesk.cli.job_table import Row, fields_of
from paperdesk.cli.rejected_cells import OURS, TEXT, cells_of, reason_of

_FIRST: Final = ["Statement", "Header", "Field Name", "Field Value"]
"""The line that such a file is recognised by: as its header it is no row of the job."""
_WHOSE: Final = ["Account Information", "Data", "Account"]
"""What begins the line that says whose the rows after it are."""
_HEADER: Final = "HEADER_AGAIN"


def in_sections(rows: Iterable[Row], skipped: Iterable[Row]) -> Iterator[Sequence[str]]:
    """Give the lines of a file that has those rows, with the headers among skipped ones."""
    yield _FIRST
    marks = [row for row in skipped if row.error_code == _HEADER or _cells(row)[:3] == _WHOSE]
    lines = sorted([*marks, *rows], key=attrgetter("line"))
    kept = {id(row) for row in marks}
    header: list[str] = []
    is_written = False
    for row in lines:
        cells = _cells(row)
        if id(row) in kept and row.error_code == _HEADER:
            header, is_written = cells, False
            continue
        if not is_written and header:
            is_whose = id(row) in kept
            yield header if is_whose else [*header, *OURS]
            is_written = not is_whose
        yield cells if id(row) in kept else _with_reason(row, cells, header)


def _with_reason(row: Row, cells: Sequence[str], header: Sequence[str]) -> list[str]:
    if not header or cells[:1] != header[:1]:
        return [*cells, *reason_of(row, is_placed=bool(cells))]
    placed = cells_of(row, header)
    if placed is not None:
        return [*placed, *reason_of(row, is_placed=True)]
    nothing = [""] * (len(header) - 2)
    return [header[0], "Data", *nothing, *reason_of(row, is_placed=False)]


def _cells(row: Row) -> list[str]:
    return next(csv.reader([str(fields_of(row.data).get(TEXT, ""))]), list[str]())
