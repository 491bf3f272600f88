"""Where the header of a table is, how its cells are separated, and of which format it is."""

from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

from paperdesk.imports.formats.format import Format, fold, folded
from paperdesk.imports.formats.generic import GENERIC
from paperdesk.imports.formats.known import FORMATS
from paperdesk.imports.lines import Line
from paperdesk.imports.model import Question, ReadOptions, Rejected
from paperdesk.imports.table import SEPARATORS, records

_FURTHEST: Final = 100
"""Rows from the beginning of a file among which its header must be."""
_MOST_COLUMNS: Final = 1000
_MOST_SHOWN: Final = 60


class Header(NamedTuple):
    """The header of a table: the line that it begins on, and which cell is which field."""

    line: int
    separator: str
    cells: list[str]
    places: dict[str, int]


class _Found(NamedTuple):
    fit: int
    formats: list[Format]
    header: Header


def find_header(sample: Sequence[Line], options: ReadOptions) -> tuple[Format, Header]:
    """Return the format of a table and its header. Raises Question where that is not certain."""
    candidates = _candidates(options, json=False)
    best: _Found | None = None
    widest: list[str] = []
    for separator in SEPARATORS:
        for row in islice(records(sample, separator), _FURTHEST):
            if isinstance(row, Rejected) or not 1 < len(row.cells) <= _MOST_COLUMNS:
                continue
            filled = [cell for cell in row.cells if cell]
            if len(filled) > len(widest):
                widest = filled
            names = folded(row.cells)
            fit, formats = _fits(candidates, names, options)
            if fit and (best is None or fit > best.fit):
                places = _places(formats[0], names, options)
                best = _Found(fit, formats, Header(row.line, separator, row.cells, places))
    if best is None:
        raise _unknown(widest, options)
    return _only(best.formats, best.header.cells), best.header


def format_of(
    names: Sequence[str], options: ReadOptions
) -> tuple[Format, dict[str, Sequence[str]]]:
    """Return the format of JSON objects with those fields, and the names of its fields.

    Raises Question where that is not certain.
    """
    fields = [fold(name) for name in names]
    fit, formats = _fits(_candidates(options, json=True), fields, options)
    if not fit:
        raise _unknown(names, options)
    kind = _only(formats, names)
    called: dict[str, Sequence[str]] = {**kind.columns}
    called |= {field: (fold(name),) for field, name in options.columns.items()}
    return kind, called


def _candidates(options: ReadOptions, *, json: bool) -> list[Format]:
    names = tuple(each.name for each in FORMATS)
    if options.format is not None and options.format not in names:
        raise Question(f"format: is none of {', '.join(names)}.", "format", names)
    if options.columns:
        unknown = [field for field in options.columns if field not in GENERIC.columns]
        if unknown or options.format not in {None, GENERIC.name}:
            raise Question(
                f"columns: {unknown[0] if unknown else options.format!r} cannot be mapped. Fields "
                f"of a file of the format {GENERIC.name} are {', '.join(GENERIC.columns)}.",
                "columns",
                tuple(GENERIC.columns),
            )
        return [GENERIC]
    return [
        each
        for each in FORMATS
        if (each.json if json else each.csv) and options.format in {None, each.name}
    ]


def _fits(
    candidates: Sequence[Format], names: Sequence[str], options: ReadOptions
) -> tuple[int, list[Format]]:
    if options.columns:
        mapped = all(_named(name, names) is not None for name in options.columns.values())
        return (1, [GENERIC]) if mapped else (0, [])
    fits = [(each.fits(names), each) for each in candidates]
    most = max((fit for fit, _ in fits), default=0)
    return most, [each for fit, each in fits if fit == most and fit]


def _places(kind: Format, names: Sequence[str], options: ReadOptions) -> dict[str, int]:
    """Return the columns of a format's fields; a person's mapping goes before its own names."""
    told = {field: _named(name, names) for field, name in options.columns.items()}
    return kind.places(names) | {field: place for field, place in told.items() if place is not None}


def _named(name: str, names: Sequence[str]) -> int | None:
    """Return where the column is that a person named: as in the file, or `name#2`, or `name+1`."""
    called = (name.strip().casefold(), fold(name))
    return next((names.index(each) for each in called if each in names), None)


def _only(formats: Sequence[Format], columns: Sequence[str]) -> Format:
    if len(formats) > 1:
        names = tuple(each.name for each in formats)
        raise Question(
            f"The file may be of several formats: {', '.join(names)}. Say format.",
            "format",
            names,
            tuple(columns),
        )
    return formats[0]


def _unknown(columns: Sequence[str], options: ReadOptions) -> Question:
    shown = tuple(name[:64] for name in columns[:_MOST_SHOWN])
    what = "The format of the file is not known"
    if options.format is not None:
        what = f"The file is not of the format {options.format}"
    if options.columns:
        what = "The file has not all of the columns that were named"
    found = f"It has the columns {', '.join(shown)}" if shown else "It has no columns"
    return Question(
        f"{what}. {found}. Say columns: which of them are at, ticker, kind, quantity, price, such "
        'as {"ticker": "Symbol"}.',
        "columns",
        (),
        shown,
    )
