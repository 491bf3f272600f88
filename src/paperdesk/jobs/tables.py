"""Rows in a file of their own: a table whose first line names its columns, or JSON. Pure."""

import csv
import io
from typing import Any, Final, cast

from paperdesk.db.exact_json import read
from paperdesk.errors import InvalidRequest
from paperdesk.imports.lines import marked_encoding

OF_THE_DESK: Final = ("row_number", "error_code", "error_message")
"""Columns of a file of refused rows that are not part of the rows."""
BEYOND: Final = "beyond the header"
"""The field of cells that no column has: no kind knows it, so the row fails alone."""
_SEPARATORS: Final = ",;\t|"


def text_of(content: bytes) -> str:
    """Return the text of a file. Raises InvalidRequest where it is none."""
    try:
        return content.decode(marked_encoding(content) or "utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("file: is no UTF-8 text. Save it as CSV UTF-8, or as JSON.") from None


def rows_of(text: str) -> list[Any]:
    """Return the rows of a table, of a JSON array, or of JSON objects with a line each.

    Names are in small letters, an empty cell says nothing, and what the desk itself wrote beside
    rows that it refused is left out. Raises InvalidRequest where it is none of these.
    """
    try:
        rows = _of_json(text) if is_json(text) else _of_table(text)
    except (ValueError, csv.Error, RecursionError) as error:
        raise InvalidRequest(f"file: is no table and no JSON array of rows: {error}.") from error
    if not rows:
        raise InvalidRequest("file: has no rows. Its first line names the columns.")
    return [_plain(row) for row in rows]


def is_json(text: str) -> bool:
    """Say whether a text is meant as JSON."""
    return text.lstrip()[:1] in {"[", "{"}


def header_of(text: str) -> list[str]:
    """Return the names of a table's columns; none of what is no table."""
    line = text.lstrip().partition("\n")[0].strip()
    try:
        return [
            _name(cell)
            for cells in csv.reader([line], delimiter=_separator(line))
            for cell in cells
        ]
    except csv.Error:
        return []


def _of_json(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        return cast("list[Any]", read(text))
    return [read(line) for line in text.splitlines() if line.strip()]


def _of_table(text: str) -> list[Any]:
    source = io.StringIO(text.lstrip(), newline="")
    separator = _separator(text.lstrip().partition("\n")[0])
    return list(csv.DictReader(source, restkey=BEYOND, delimiter=separator))


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _name(column: object) -> str:
    return str(column).strip().lower()


def _plain(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {
        _name(name): value.strip() if isinstance(value, str) else value
        for name, value in cast("dict[Any, Any]", row).items()
        if _name(name) not in OF_THE_DESK and value is not None and value != ""
    }
