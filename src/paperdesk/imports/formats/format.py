"""What a format is: which columns it needs, what they are called, and what a row means."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from paperdesk.imports.model import NEW_YORK, DateOrder, DecimalMark
from paperdesk.imports.rows import Row, Said, Skip

_NOT_IN_NAMES: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file. Names of columns are folded: letters and digits, in lower case.

    A file is of the format that needs the most columns of those that find all they need. Under
    `columns` each field has the names that it may have in a file, the first found is taken.
    A decimal mark or an order of dates that is None is found from the file. `zone` is that of times
    that name none.
    """

    name: str
    title: str
    columns: Mapping[str, Sequence[str]]
    read: Callable[[Row], Said | Skip]
    needs: frozenset[str] = frozenset()
    needs_fields: frozenset[str] = frozenset()
    """Fields for which one of their names must be there, whichever it is."""
    json: bool = False
    csv: bool = True
    decimal: DecimalMark | None = None
    date_order: DateOrder | None = None
    zone: ZoneInfo = NEW_YORK
    midnight_is_date: bool = False
    """Times of exactly midnight stand for the day, also with a zone."""
    sections: bool = False
    """Each row begins with its section and its part: `Header`, `Data`, …

    The header of a section names the cells of its rows, which are of its width. Section and part
    are the first two of `columns`.
    """

    def places(self, names: Sequence[str]) -> dict[str, int]:
        """Return in which column each field stands; those without one are left out."""
        found = {name: place for place, name in enumerate(names)}
        return {
            field: next(found[name] for name in called if name in found)
            for field, called in self.columns.items()
            if any(name in found for name in called)
        }

    def fits(self, names: Sequence[str]) -> int:
        """Return how many columns it needs, 0 where one of them is not there.

        A format that needs none by its one name, as the generic one, fits less than any other.
        """
        if not self.needs <= set(names) or not self.needs_fields <= self.places(names).keys():
            return 0
        return len(self.needs) + len(self.needs_fields) if self.needs else 1


def fold(name: str) -> str:
    """Return the name of a column as letters and digits in lower case."""
    return _NOT_IN_NAMES.sub("", name).casefold()


def folded(header: Sequence[str]) -> list[str]:
    """Return the names of columns, each once.

    The second of a name is `name#2`. One without a name is called after the column before it, as
    in `balance+1`: some brokers name a pair of columns once.
    """
    names: list[str] = []
    seen: Counter[str] = Counter()
    last, unnamed = "", 0
    for cell in header:
        name = fold(cell)
        if name:
            last, unnamed = name, 0
            seen[name] += 1
            names.append(f"{name}#{seen[name]}" if seen[name] > 1 else name)
        else:
            unnamed += 1
            names.append(f"{last}+{unnamed}")
    return names
