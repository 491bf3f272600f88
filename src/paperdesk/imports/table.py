"""Rows of delimited text: quotes, line breaks within quotes, and what breaks off."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from paperdesk.imports.lines import LONGEST_ROW, Line
from paperdesk.imports.model import Code, Rejected

SEPARATORS: Final = (",", ";", "\t", "|")

_MOST_LINES: Final = 64
_OPEN: Final = "unexpected end"
"""What the csv module says of a quote that is still open at the end of a row."""
_LARGEST_CELL: Final = LONGEST_ROW + 1


class Record(NamedTuple):
    """A row as cells, stripped of the space around them; `line` is its first physical one."""

    line: int
    cells: list[str]


def records(lines: Iterable[Line], separator: str, width: int = 0) -> Iterator[Record | Rejected]:
    """Give each row that is not blank, or why it cannot be split into cells.

    A quote that is not closed would swallow the rows after it. So a row of several lines must end
    within 64 of them and come to `width` cells; else its first line alone is rejected, and the
    others are read for themselves.
    """
    # The limit is the process's, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_CELL))
    source = _PushedBack(iter(lines))
    for line in source:
        text = line.text
        if line.too_long:
            reason = f"is longer than {LONGEST_ROW} characters"
            yield Rejected(line.number, None, Code.ROW_TOO_LONG, reason, (text,))
        elif not text or text.isspace():
            continue
        elif "\ufffd" in text:
            reason = "has bytes that are wrong in the encoding of the file"
            yield Rejected(line.number, None, Code.ENCODING, reason, (text,))
        elif '"' not in text:
            cells = text.split(separator)
            if " " in text or not text.isascii():
                cells = [cell.strip() for cell in cells]
            yield Record(line.number, cells)
        else:
            yield _quoted(line, source, separator, width)


def _quoted(line: Line, source: "_PushedBack", separator: str, width: int) -> Record | Rejected:
    try:
        cells = next(csv.reader([line.text], delimiter=separator, strict=True))
    except csv.Error as error:
        if _OPEN in str(error):
            cells = _joined(line, source, separator, width)
        else:
            # What stands behind a closing quote is taken along, as spreadsheets do.
            cells = next(csv.reader([line.text], delimiter=separator))
    if cells is None:
        reason = "has a quote that is not closed"
        return Rejected(line.number, None, Code.QUOTES, reason, (line.text,))
    return Record(line.number, [cell.strip() for cell in cells])


def _joined(line: Line, source: "_PushedBack", separator: str, width: int) -> list[str] | None:
    """Return the cells of a row that goes on in the next lines, None if it does not end there."""
    taken: list[Line] = []
    text, quotes = line.text, line.text.count('"')
    for following in source:
        taken.append(following)
        text += "\n" + following.text
        quotes += following.text.count('"')
        if following.too_long or len(text) > LONGEST_ROW or len(taken) >= _MOST_LINES:
            break
        if quotes % 2 == 0:
            try:
                cells = next(csv.reader([text], delimiter=separator, strict=True))
            except csv.Error:
                break
            if len(cells) >= width and "\ufffd" not in text:
                return cells
            break
    source.push_back(taken)
    return None


class _PushedBack:
    """An iterator that takes back what was read too far."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._waiting: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def push_back(self, lines: list[Line]) -> None:
        self._waiting.extendleft(reversed(lines))
