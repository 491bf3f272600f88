"""How rows are written: CSV, JSON Lines and XLSX, exact in each, and harmless in a spreadsheet.

In CSV and XLSX a text that a spreadsheet would take for a formula gets an apostrophe before it, and
so does one that begins with an apostrophe: to have the text back, take one off. Numbers and times
are never changed.
"""

import csv
import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec
import xlsxwriter  # pyright: ignore[reportMissingTypeStubs] - it has none
from xlsxwriter.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    FileCreateError,
)

from paperdesk.db.types import EXACT, format_utc
from paperdesk.jobs.export.schemas import ExportFormat, ExportRow

_FORMULA: Final = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
"""What begins a formula, or a text that is marked as none; the last four are wide forms."""
_SHEET_ROWS: Final = 1_048_576
"""Rows of a sheet, its header among them."""
_PRIVATE: Final = 0o600


class Writer(Protocol):
    """Writes one file."""

    def write(self, values: Sequence[Any]) -> None:
        """Write a row."""
        ...

    def close(self) -> None:
        """Write what is left. The file is whole then."""
        ...

    def abandon(self) -> None:
        """Let go of the file, which is worth nothing."""
        ...


def writer_of(path: Path, wanted: ExportRow, columns: Sequence[str], made_at: datetime) -> Writer:
    """Return what writes a new file, with its header."""
    match wanted.format:
        case ExportFormat.csv:
            return _Csv(path, columns, bom=wanted.bom)
        case ExportFormat.jsonl:
            return _JsonLines(path, columns)
        case ExportFormat.xlsx:
            return Xlsx(path, wanted.table, columns, made_at)


def spelled(amount: Decimal) -> str:
    """Return an amount as the API spells it: no exponent, no trailing zeros."""
    return format(amount.normalize(EXACT), "f")


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in _FORMULA else text


def plain(value: Any) -> Any:
    """Return an amount or a time as text; None, a truth and what is text or a whole number stay."""
    if isinstance(value, Decimal):
        return spelled(value)
    return format_utc(value) if isinstance(value, datetime) else value


def exact_float(amount: Decimal) -> float | None:
    """Return the number that an XLSX file says exactly, in its 16 digits; None if none does."""
    number = float(amount)
    return number if Decimal(f"{number:.16G}") == amount else None


def _opened(path: Path, encoding: str = "utf-8") -> IO[str]:
    # Not readable by others at any moment.
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE)
    return open(file, "w", encoding=encoding, newline="")  # noqa: PTH123 - of a descriptor


class _Csv:
    """RFC 4180, with a header; an empty cell for what there is not."""

    def __init__(self, path: Path, columns: Sequence[str], *, bom: bool) -> None:
        self._file = _opened(path, "utf-8-sig" if bom else "utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def write(self, values: Sequence[Any]) -> None:
        self._writer.writerow([_cell(value) for value in values])

    def close(self) -> None:
        self._file.close()

    abandon = close


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value) if isinstance(value, str) else plain(value)


class _JsonLines:
    """An object a line; amounts are strings, so that no reader makes floats of them."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = _opened(path)
        self._columns = columns
        self._encode = msgspec.json.Encoder().encode

    def write(self, values: Sequence[Any]) -> None:
        fields = zip(self._columns, map(plain, values), strict=True)
        self._file.write(self._encode(dict(fields)).decode() + "\n")

    def close(self) -> None:
        self._file.close()

    abandon = close


class Xlsx:
    """A workbook; a sheet that is full is followed by another."""

    def __init__(
        self,
        path: Path,
        name: str,
        columns: Sequence[str],
        made_at: datetime,
        sheet_rows: int = _SHEET_ROWS,
    ) -> None:
        self._name, self._columns, self._sheet_rows = name, columns, sheet_rows
        self._path = path
        options = {"constant_memory": True, "tmpdir": str(path.parent)}
        self._workbook: Any = xlsxwriter.Workbook(str(path), options)
        self._workbook.use_zip64()
        self._workbook.set_properties({"created": made_at.replace(tzinfo=None)})
        self._sheets = 0
        self._next_sheet()

    def write(self, values: Sequence[Any]) -> None:
        """Write a row: numbers where they are exact, text where they would not be."""
        if self._row == self._sheet_rows:
            self._next_sheet()
        sheet, row = self._sheet, self._row
        self._row += 1
        for column, value in enumerate(values):
            if isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, Decimal | int):
                number = exact_float(Decimal(value))
                if number is not None:
                    sheet.write_number(row, column, number)
                else:
                    sheet.write_string(row, column, spelled(Decimal(value)))
            elif value is not None:
                sheet.write_string(row, column, harmless(plain(value)))

    def close(self) -> None:
        """Pack the workbook. Raises OSError where it cannot be written."""
        self._path.touch(_PRIVATE, exist_ok=False)
        try:
            self._workbook.close()
        except FileCreateError as error:
            # It hides what the system said, such as that the disk is full, in one of its own.
            raise error.args[0] from error

    def abandon(self) -> None:
        """Let go of the files; what they hold goes with their folder."""
        for sheet in self._workbook.worksheets():
            sheet.row_data_fh.close()

    def _next_sheet(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        self._sheet: Any = self._workbook.add_worksheet(name)
        for column, title in enumerate(self._columns):
            self._sheet.write_string(0, column, title)
        self._row = 1
