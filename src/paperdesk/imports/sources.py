"""Rows under the names of their fields, from tables and from JSON objects."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from paperdesk.imports.detection import Header
from paperdesk.imports.documents import Element
from paperdesk.imports.formats.format import fold
from paperdesk.imports.lines import Line
from paperdesk.imports.model import Code, Rejected, Skipped
from paperdesk.imports.rows import Row, Sheet
from paperdesk.imports.table import records

_TOTAL: Final = re.compile(r"(?:sub|grand )?totals?\b.*|.*\btotals?:?", re.IGNORECASE)
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
