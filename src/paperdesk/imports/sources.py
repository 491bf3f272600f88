"""Rows under the names of their fields, from tables and from JSON objects."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from paperdesk.imports.detection import Header
from paperdesk.imports.documents import Element
from paperdesk.imports.formats.format import Format, fold, folded
from paperdesk.imports.lines import Line
from paperdesk.imports.model import Code, Rejected, Skipped
from paperdesk.imports.rows import Row, Sheet
from paperdesk.imports.table import records

_TOTAL: Final = re.compile(r"(?:sub|grand )?totals?\b.*|.*\btotals?:?", re.IGNORECASE)
_HEADER: Final = "Header"
_DATA: Final = "Data"
_ONE_LINE: Final = 1 << 20
"""More cells than a row has: where no cell has line breaks, a stray quote must not join rows."""
_SENTENCE: Final = 3
"""Words from which on a text that stands alone is no cell of a table."""


Pick = Callable[[Sequence[str]], Sequence[str]]
"""Takes the cells of a format's fields, in their order, from those of a table and an empty one."""


def table_rows(
    lines: Iterable[Line], header: Header, pick: Pick, sheet: Sheet
) -> Iterator[Row | Rejected | Skipped]:
    """Give the rows of a table, and what stands before its header."""
    lines = iter(lines)
    yield from _preamble(islice(lines, header.line - 1))
    most = len(header.cells)
    # A header that ends in empty names does not oblige the rows to end so, too.
    least = max(place for place, cell in enumerate(header.cells) if cell) + 1
    for record in records(lines, header.separator, least):
        if isinstance(record, Rejected):
            yield record
            continue
        line, cells = record
        raw = tuple(cells)
        if len(cells) != most:
            _level(cells, least, most)
        if len(cells) != most:
            if any(cells):
                yield without_content(line, raw) or _wrong_width(line, raw, most)
        elif cells == header.cells:
            if line != header.line:
                yield Skipped(line, Code.HEADER_AGAIN, "is the header again", raw)
        elif any(cells):
            cells.append("")
            yield Row(line, pick(cells), raw, sheet)


def section_rows(
    lines: Iterable[Line], first: Header, kind: Format, sheet: Sheet
) -> Iterator[Row | Rejected | Skipped]:
    """Give the rows of a table of sections, of which each has a header of its own or several."""
    lines = iter(lines)
    yield from _preamble(islice(lines, first.line - 1))
    header: list[str] = []
    pick: Pick = itemgetter(0, 1)
    least = 0
    for record in records(lines, first.separator, _ONE_LINE):
        if isinstance(record, Rejected):
            yield record
            continue
        line, cells = record
        raw = tuple(cells)
        section, part = [*cells, "", ""][:2]
        if part == _HEADER:
            if line != first.line:
                yield Skipped(line, Code.HEADER_AGAIN, "is the header of a section", raw)
            header = cells
            least = max(place for place, cell in enumerate(cells) if cell) + 1
            places = {**kind.places(["", "", *folded(cells[2:])])}
            places |= dict(zip(kind.columns, (0, 1), strict=False))
            pick = itemgetter(*(places.get(field, len(header)) for field in kind.columns))
            sheet = replace(sheet, names={field: cells[at] for field, at in places.items()})
        elif not any(cells):
            continue
        elif not header or section != header[0]:
            reason = "has no header of its section before it"
            yield Rejected(line, None, Code.CELLS, reason, raw)
        else:
            if part != _DATA:
                cells = [*cells, *[""] * len(header)][: len(header)]
            _level(cells, least, len(header))
            if len(cells) != len(header):
                yield _wrong_width(line, raw, len(header))
            else:
                yield Row(line, pick([*cells, ""]), raw, sheet)


def _preamble(lines: Iterable[Line]) -> Iterator[Skipped]:
    for line in lines:
        if line.text and not line.text.isspace():
            reason = "stands before the header"
            yield Skipped(line.number, Code.PREAMBLE, reason, (line.text,))


def _level(cells: list[str], least: int, most: int) -> None:
    """Bring a row to the width of its header, where only empty cells are too many or too few."""
    while len(cells) > most and not cells[-1]:
        cells.pop()
    if len(cells) >= least:
        cells += [""] * (most - len(cells))


def _wrong_width(line: int, raw: tuple[str, ...], width: int) -> Rejected:
    reason = f"has {len(raw)} cells, and the header has {width}"
    return Rejected(line, None, Code.CELLS, reason, raw)


def without_content(line: int, cells: Sequence[object]) -> Skipped | None:
    """Return why a row that could not be read is none of the table, None where it is one."""
    filled = [cell for cell in cells if isinstance(cell, str) and cell]
    first = filled[0] if filled else ""
    if _TOTAL.fullmatch(first):
        return Skipped(line, Code.SUBTOTAL, "is a total", tuple(map(str, cells)))
    if 2 * len(filled) <= max(2, len(cells)) and len(first.split()) >= _SENTENCE:
        return Skipped(line, Code.FOOTER, "is text beside the table", tuple(map(str, cells)))
    return None


def object_rows(
    elements: Iterable[Element | Rejected], called: Mapping[str, Sequence[str]], sheet: Sheet
) -> Iterator[Row | Rejected]:
    """Give the rows that JSON objects are."""
    for element in elements:
        if isinstance(element, Rejected):
            yield element
        else:
            cells = object_cells(element.fields, called)
            yield Row(element.line, cells, element.fields, sheet)


def object_cells(fields: Mapping[str, Any], called: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the texts of an object's fields in the order of a format's."""
    texts = {fold(name): _text_of(value) for name, value in fields.items()}
    return [next((texts[name] for name in names if name in texts), "") for names in called.values()]


def _text_of(value: object) -> str:
    """Return a JSON value as the cell of a table would have it; numbers were texts all along."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else ""
