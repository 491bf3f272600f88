"""Files of trades: CSV with a header, or one JSON object a line. Text in UTF-8."""

import csv
import json
from collections.abc import Iterator
from itertools import zip_longest
from operator import itemgetter
from typing import Any, BinaryIO, Final, NamedTuple, TextIO, cast

from paperdesk.errors import InvalidRequest
from paperdesk.ledger.replay.past_trades import (
    COLUMNS,
    IDENTITY,
    REQUIRED,
    BadRow,
    PastTrade,
    RowReader,
)

REASON: Final = "error"
"""The column that rejected rows have besides; it is ignored when they are replayed."""

_KNOWN: Final = frozenset((*COLUMNS, REASON))
_ADDED: Final = (IDENTITY, REASON)


class Row(NamedTuple):
    """A row of a file as it stands there, and the trade that it is, if it can be understood."""

    said: Any
    trade: PastTrade | BadRow


class TradeFile:
    """The rows of an open file, in their order; `position` is how many bytes of it were read.

    Raises InvalidRequest where it is no such file at all.
    """

    def __init__(self, file: BinaryIO, reader: RowReader) -> None:
        self.position = 0
        self._lines = self._decoded(file)
        self._reader = reader
        first = next((line for _, line in self._lines if line.strip()), "")
        self.header = None if first.lstrip().startswith("{") else _header(first)
        self._first = first

    def rows(self) -> Iterator[Row]:
        """Give each row, once."""
        return self._objects() if self.header is None else self._cells(self.header)

    def identity(self, row: Row) -> str:
        """Return the id that a row keeps when it is corrected, in whatever file."""
        return self._reader.identity_of(row.trade, row.said)

    def _decoded(self, file: BinaryIO) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(file, 1):
            self.position += len(line)
            # What is not UTF-8 must end the row, not the replay: it is found where it stands.
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "surrogateescape")
            yield number, text.rstrip("\r\n")

    def _cells(self, header: list[str]) -> Iterator[Row]:
        read = self._reader.read
        width = len(header)
        # A column that the file does not have is found in an empty cell behind the last one.
        ordered = itemgetter(*(header.index(c) if c in header else width for c in COLUMNS))
        for number, line in self._lines:
            if not line:
                continue
            # A cell never holds a line break, so a quote that is not closed ends with its line.
            cells = line.split(",") if '"' not in line else _unquoted(line)
            if cells is None or len(cells) != width:
                wrong = f"must have {width} cells, as the header has"
                yield Row(cells or [line], BadRow(number, None, wrong))
                continue
            if " " in line:
                cells = [cell.strip() for cell in cells]
            yield Row(cells, read(number, ordered([*cells, ""])))

    def _objects(self) -> Iterator[Row]:
        yield self._object(1, self._first)
        for number, line in self._lines:
            if line:
                yield self._object(number, line)

    def _object(self, number: int, line: str) -> Row:
        try:
            said: Any = json.loads(
                line,
                parse_float=str,
                parse_int=str,
                parse_constant=str,
                object_pairs_hook=_unique,
            )
        except (ValueError, RecursionError):
            return Row(line, BadRow(number, None, "must be one JSON object, each field once"))
        if not isinstance(said, dict):
            return Row(line, BadRow(number, None, "must be a JSON object"))
        fields = cast("dict[str, Any]", said)
        for name, value in fields.items():
            if name not in _KNOWN:
                return Row(said, BadRow(number, name, "is not a field of a trade"))
            if value is not None and not isinstance(value, str):
                return Row(said, BadRow(number, name, "must be text or a number"))
        return Row(said, self._reader.read(number, [fields.get(name) or "" for name in COLUMNS]))


class Rejects:
    """Writes the rows of a file that were not booked into one of the same kind, with the reason.

    A row without an id of its own gets the column `identity`: it stays the same trade, whatever is
    corrected in it.
    """

    def __init__(self, file: TextIO, source: TradeFile) -> None:
        self._file = file
        self._source = source
        self._csv = csv.writer(file, lineterminator="\n")
        if source.header is not None:
            given = (name for name in source.header if name not in _ADDED)
            self._csv.writerow([*given, *_ADDED])

    def write(self, row: Row, reason: str) -> None:
        """Write one row, at once."""
        if self._source.header is None:
            said = {"raw": row.said} if isinstance(row.said, str) else row.said
            self._file.write(json.dumps({**said, **self._added(row, said, reason)}) + "\n")
        else:
            named = _named(self._source.header, row.said)
            given = (cell for name, cell in named if name not in _ADDED)
            self._csv.writerow([*given, *self._added(row, dict(named), reason).values()])

    def _added(self, row: Row, said: dict[str, Any], reason: str) -> dict[str, Any]:
        identity = "" if said.get("id") else said.get(IDENTITY) or self._source.identity(row)
        return {IDENTITY: identity, REASON: reason}


def _named(header: list[str], cells: list[str]) -> list[tuple[str, str]]:
    """Return the cells with their names, also where there are too few or too many.

    What `Rejects` added stays at the end of the row, so that the cells before it can be corrected.
    """
    own = len(header)
    while own and header[own - 1] in _ADDED:
        own -= 1
    names = [*header[:own], *[""] * (len(cells) - len(header)), *header[own:]]
    return list(zip_longest(names, cells, fillvalue=""))


def _header(line: str) -> list[str]:
    names = [name.strip().lower() for name in _unquoted(line) or []]
    wrong = [name for name in names if name not in _KNOWN or names.count(name) > 1]
    missing = [name for name in REQUIRED if name not in names]
    if wrong or missing:
        trouble = f"has no column {missing[0]}" if missing else f"has the column {wrong[0]!r}"
        raise InvalidRequest(
            f"The first line {trouble}. It must name the columns {', '.join(REQUIRED)}, and may "
            f"name {', '.join(COLUMNS[len(REQUIRED) :])}; or each line is a JSON object."
        )
    return names


def _unquoted(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field twice")
    return fields
