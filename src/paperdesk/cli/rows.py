"""Tables that fit a terminal without cutting a figure or an id."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP: Final = 2
_LEAST: Final = 20
"""Characters that a column of sentences keeps."""

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column: of figures when its name begins with `>`, of sentences that wrap with `~`."""

    name: str
    figures: bool
    wraps: bool

    @classmethod
    def of(cls, text: str) -> "Column":
        """Return the column that a text describes."""
        return cls(text.lstrip(">~"), text.startswith(">"), text.startswith("~"))


class Rows:
    """A table. Where it is too wide, `apart` gets lines of its own, then columns of `drop` go."""

    def __init__(
        self, columns: Sequence[str], drop: Sequence[str] = (), apart: str | None = None
    ) -> None:
        self._columns = [Column.of(each) for each in columns]
        self._drop = drop
        self._apart = apart
        self._out: set[str] = set()
        self._rows: list[tuple[Cell, ...]] = []
        self._natural = [cell_len(column.name) for column in self._columns]

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def add_row(self, *cells: Cell) -> None:
        """Add a row: a cell for each column."""
        self._rows.append(cells)
        for number, cell in enumerate(cells):
            self._natural[number] = max(self._natural[number], cell_len(str(cell)))

    def leave_out(self, name: str) -> None:
        """Take a column out that would say nothing."""
        self._out.add(name)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for as much room as there is."""
        shown, apart, dropped = self._fitting(options.max_width)
        widths = self._widths(shown, options.max_width)
        gap = _GAP - 1 if console.is_terminal else _GAP
        if apart is None:
            yield self._table(widths, self._rows, gap)
        else:
            for number, row in enumerate(self._rows):
                yield self._table(widths, [row], gap, header=number == 0)
                yield Text(f"  {row[apart]}", style="dim", overflow="fold")
        if dropped:
            names = ", ".join(self._columns[number].name for number in dropped)
            yield Text(f"No room for: {names}.", style="dim", overflow="fold")

    def _fitting(self, room: int) -> tuple[list[int], int | None, list[int]]:
        """Return the columns to show, the one that goes apart, and those that are left out."""
        shown = [n for n, column in enumerate(self._columns) if column.name not in self._out]
        apart, dropped = None, list[int]()
        for name in [self._apart, *self._drop]:
            if self._least(shown) <= room:
                break
            found = [number for number in shown if self._columns[number].name == name]
            shown = [number for number in shown if number not in found]
            if name == self._apart:
                apart = next(iter(found), None)
            else:
                # Nobody misses what is empty.
                dropped += [number for number in found if any(str(r[number]) for r in self._rows)]
        return shown, apart, dropped

    def _widths(self, shown: Sequence[int], room: int) -> dict[int, int]:
        """Return how wide to make each column."""
        widths = {number: self._natural[number] for number in shown}
        left = room - _GAP * (len(shown) - 1)
        # Where there is no other way, figures are folded too, which loses nothing either.
        folded = [n for n in shown if self._columns[n].wraps or self._least(shown) > room]
        left -= sum(width for number, width in widths.items() if number not in folded)
        for done, number in enumerate(sorted(folded, key=lambda n: self._natural[n])):
            widths[number] = max(1, min(widths[number], left // (len(folded) - done)))
            left -= widths[number]
        return widths

    def _least(self, shown: Sequence[int]) -> int:
        """Return how wide the columns are at least."""
        return _GAP * (len(shown) - 1) + sum(
            min(self._natural[number], _LEAST)
            if self._columns[number].wraps
            else self._natural[number]
            for number in shown
        )

    def _table(
        self,
        widths: dict[int, int],
        rows: Iterable[tuple[Cell, ...]],
        gap: int,
        *,
        header: bool = True,
    ) -> Table:
        """Return rows as a table with columns of these widths."""
        # The box brings one of the spaces between columns.
        result = Table(
            box=SIMPLE_HEAD if gap < _GAP else None,
            padding=(0, gap, 0, 0),
            pad_edge=False,
            show_edge=False,
            show_header=header,
        )
        for number, width in widths.items():
            column = self._columns[number]
            justify = "right" if column.figures else "left"
            result.add_column(column.name, justify=justify, width=width, overflow="fold")
        for row in rows:
            result.add_row(*(row[number] for number in widths))
        return result
