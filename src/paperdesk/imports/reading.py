"""Reads a broker's file: what it is, and what each of its rows says."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import BinaryIO, Final

from paperdesk.imports import documents
from paperdesk.imports.dates import Dates, date_order
from paperdesk.imports.detection import find_header, format_of
from paperdesk.imports.documents import Element
from paperdesk.imports.formats.format import Format, fold, folded
from paperdesk.imports.keys import Keys
from paperdesk.imports.lines import SAMPLE, Line, TextFile
from paperdesk.imports.model import (
    DateOrder,
    DecimalMark,
    Outcome,
    ReadOptions,
    Rejected,
    Skipped,
    Unreadable,
    UnreadableFile,
)
from paperdesk.imports.numbers import Numbers, decimal_mark
from paperdesk.imports.rows import NUMERIC, Row, Sheet, Skip
from paperdesk.imports.sources import (
    object_cells,
    object_rows,
    section_rows,
    table_rows,
    without_content,
)
from paperdesk.imports.table import Record, records
from paperdesk.imports.understanding import Understanding

_JSON: Final = re.compile(r'\s*(?:\[\s*[\[{\]]|\{\s*["}])')
_SAMPLE_ROWS: Final = 20_000


@dataclass(slots=True)
class Reading:
    """A file that was understood as a whole; its rows are read as they are asked for, once.

    `columns` and `separator` are those of its header, empty for JSON. Decimal mark and order of
    dates are None as long as no row needed them.
    """

    format: str
    title: str
    encoding: str
    separator: str
    columns: tuple[str, ...]
    _file: TextFile
    _kind: Format
    _sheet: Sheet
    _rows: Iterator[Row | Rejected | Skipped]
    _understanding: Understanding

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        return self._file.position

    @property
    def has_sections(self) -> bool:
        """Whether its rows stand in sections, each with columns of its own."""
        return self._kind.sections

    @property
    def decimal(self) -> DecimalMark | None:
        """The decimal mark of its numbers."""
        return self._sheet.numbers.mark

    @property
    def date_order(self) -> DateOrder | None:
        """Whether day or month is first in its dates."""
        return self._sheet.dates.order

    def rows(self) -> Iterator[Outcome]:
        """Give what became of each row that is not blank, in the order of the file."""
        understand, complete = self._kind.read, self._understanding.complete
        for row in self._rows:
            if not isinstance(row, Row):
                yield row
                continue
            try:
                said = understand(row)
                outcome = said if isinstance(said, Skip) else complete(row, said)
            except Unreadable as error:
                name = row.column(error.field)
                yield _no_row(row) or Rejected(row.line, name, error.code, str(error), row.raw)
                continue
            if isinstance(outcome, Skip):
                yield Skipped(row.line, outcome.code, outcome.reason, row.raw)
            else:
                yield outcome


def read(source: BinaryIO, options: ReadOptions) -> Reading:
    """Find out what a file is.

    Raises Question where that takes a person to say, UnreadableFile where it is none of ours.
    """
    file = TextFile(source)
    beginning = file.beginning()
    if _JSON.match(beginning):
        return _read_json(file, beginning, options)
    return _read_table(file, options)


def _read_table(file: TextFile, options: ReadOptions) -> Reading:
    lines = file.lines()
    sample: list[Line] = []
    size = 0
    for line in lines:
        sample.append(line)
        size += len(line.text) + 1
        if size >= SAMPLE or len(sample) >= _SAMPLE_ROWS:
            break
    kind, header = find_header(sample, options)
    width = len(header.cells)
    pick = itemgetter(*(header.places.get(field, width) for field in kind.columns))
    called = folded(header.cells)
    names = {field: header.cells[place] or called[place] for field, place in header.places.items()}
    after = (line for line in sample if line.number > header.line)
    rows = (
        pick([*row.cells, ""])
        for row in records(after, header.separator, width)
        if isinstance(row, Record) and len(row.cells) == width
    )
    sheet = _sheet(kind, options, names, rows)
    all_lines = chain(sample, lines)
    return Reading(
        kind.name,
        kind.title,
        file.encoding,
        header.separator,
        tuple(header.cells),
        file,
        kind,
        sheet,
        section_rows(all_lines, header, kind, sheet)
        if kind.sections
        else table_rows(all_lines, header, pick, sheet),
        Understanding(options.currency, Keys(kind.name)),
    )


def _read_json(file: TextFile, beginning: str, options: ReadOptions) -> Reading:
    rows = _objects(file, beginning)
    sample = list(islice(rows, _SAMPLE_ROWS))
    objects = [each.fields for each in sample if isinstance(each, Element)]
    written = {fold(name): name for each in objects for name in each}
    kind, called = format_of(list(written.values()), options)
    names = {
        field: written[name]
        for field, names in called.items()
        for name in names[::-1]
        if name in written
    }
    cells = (object_cells(each, called) for each in objects)
    sheet = _sheet(kind, options, names, cells)
    return Reading(
        kind.name,
        kind.title,
        file.encoding,
        "",
        (),
        file,
        kind,
        sheet,
        object_rows(chain(sample, rows), called, sheet),
        Understanding(options.currency, Keys(kind.name)),
    )


def _objects(file: TextFile, beginning: str) -> Iterator[Element | Rejected]:
    """Give the objects of a JSON document, or of a file with an object a line."""
    is_list = beginning.lstrip().startswith("[")
    first = [line for line in beginning.split("\n", 3)[:2] if line.startswith("{")]
    if not is_list and any(
        "activities" not in (documents.object_of(line) or {"activities": 0}) for line in first
    ):
        return documents.object_lines(file.lines())
    text = file.whole(documents.LARGEST_DOCUMENT)
    if text is None:
        raise UnreadableFile(
            f"The JSON document is larger than {documents.LARGEST_DOCUMENT >> 20} MiB. Write it "
            "with an object a line, or as CSV: such files may be of any size."
        )
    return iter(documents.elements(text))


def _sheet(
    kind: Format,
    options: ReadOptions,
    names: Mapping[str, str],
    sample: Iterable[Sequence[str]],
) -> Sheet:
    """Return what the rows have in common; decimal mark and order of dates from a sample of them.

    Raises Question where the sample does not tell.
    """
    places = {field: place for place, field in enumerate(kind.columns)}
    mark = options.decimal or kind.decimal
    order = options.date_order or kind.date_order
    if mark is None or order is None:
        columns = list(zip(*sample, strict=True)) or [()] * len(places)
        if mark is None:
            numeric = [columns[place] for field, place in places.items() if field in NUMERIC]
            mark = decimal_mark(chain.from_iterable(numeric))
        if order is None:
            order = date_order(columns[places["at"]])
    dates = Dates(
        options.now, order, options.zone or kind.zone, midnight_is_date=kind.midnight_is_date
    )
    return Sheet(places, names, Numbers(mark), dates)


def _no_row(row: Row) -> Skipped | None:
    """Return why a row that cannot be understood is no row of the table, if that is so."""
    return without_content(row.line, row.raw) if isinstance(row.raw, tuple) else None
