"""Cells of a broker's row that was rejected, and what stands beside them in the desk's columns."""

import csv
import json
from collections.abc import Sequence
from typing import Final

from paperdesk.cli.job_table import Row, fields_of

OURS: Final = ("error_line", "error_code", "error_message", "error_row")
"""Columns of the desk's: where a row stood, why it failed, and its text where it has no cells."""
TEXT: Final = "row"
"""The one field of a row whose cells are not known apart."""
_LONGEST: Final = 1024
"""Characters that a job keeps of a text; one as long may be cut."""
_CUT: Final = "ROW_TOO_LONG"


def column_names(header: Sequence[str]) -> list[str]:
    """Return what a file calls its columns, by the names that a job has for them, each once.

    There the second of a name is `name#2`, and one without a name is `name+1` after the one before.
    """
    names: list[str] = []
    seen: dict[str, int] = {}
    base, behind = "", 0
    for name in header:
        first, _, number = name.rpartition("#")
        if name == f"{base}+{behind + 1}":
            behind += 1
            names.append("")
            continue
        is_again = first in seen and number == str(seen[first] + 1)
        column = first if is_again else name
        seen[column] = seen.get(column, 0) + 1
        base, behind = name, 0
        names.append(column)
    return names


def cells_of(row: Row, columns: Sequence[str]) -> list[str] | None:
    """Return the cells of a row that is kept as text; None where they are not those of a table.

    As in the reader only empty cells at its end, or those of columns without a name, are too many
    or too few: a row that was rejected for its width must not become one that is booked.
    """
    text = str(fields_of(row.data).get(TEXT, ""))
    if row.error_code == _CUT or len(text) >= _LONGEST:
        return None
    try:
        cells = next(csv.reader([text], strict=True), list[str]())
    except csv.Error:
        return None
    most = len(columns)
    least = max((place for place, name in enumerate(columns, 1) if name), default=most)
    while len(cells) > most and not cells[-1]:
        cells.pop()
    if len(cells) >= least:
        cells += [""] * (most - len(cells))
    return cells if len(cells) == most else None


def reason_of(row: Row, *, is_placed: bool) -> list[str]:
    """Return the cells for the desk's columns, with all of the row where it is in no others."""
    fields = fields_of(row.data)
    text = ""
    if not is_placed:
        text = str(fields[TEXT]) if TEXT in fields else json.dumps(fields, default=str)
    # A byte that was wrong is no more so: with its mark the row would be rejected for it again.
    text = text.replace("\N{REPLACEMENT CHARACTER}", "?")
    line = "" if row.line is None else str(row.line)
    return [line, row.error_code or "", row.error_message or "", text]
