"""What commands print: tables for people, JSON for programs, amounts that nothing rounds away.

Colour and boxes are for terminals; a pipe, or NO_COLOR, gets plain text.
"""

import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

import msgspec
from rich.console import Console
from rich.text import Text

from paperdesk.cli.failures import one_line
from paperdesk.cli.rows import Rows

OLDER: Final = "There are older ones: add --limit 500, or --all."

_CENT: Final = Decimal("0.01")
_PIPE_WIDTH: Final = 100_000


class Screen(Console):
    """A console that leaves it to `main` what to do when the reader of a pipe went away."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error that is being handled."""
        raise BrokenPipeError


def screen() -> Screen:
    """Return the console of standard output."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Screen(width=width, highlight=False, markup=False, emoji=False)


def table(*columns: str, drop: Sequence[str] = (), apart: str | None = None) -> Rows:
    """Return an empty table: `>Price` is a column of figures, `~Note` one of sentences that wrap.

    On a terminal that is too narrow for it, the column `apart` gets lines of its own, then those in
    `drop` are left out, the first of them first.
    """
    return Rows(columns, drop, apart)


def say(text: str | Text) -> None:
    """Print one line on standard output, at once."""
    screen().print(text, soft_wrap=True)
    sys.stdout.flush()


def show_json(text: bytes) -> None:
    """Print JSON with its numbers, digit for digit, as they came."""
    sys.stdout.write(msgspec.json.format(text, indent=2).decode() + "\n")
    sys.stdout.flush()


def show_value(value: Any) -> None:
    """Print a value of ours as JSON."""
    show_json(msgspec.json.encode(value))


def clean(text: str | None) -> str:
    """Return a text of the desk without characters that could steer the terminal."""
    return one_line(text or "")


def money(amount: Decimal) -> str:
    """Return dollars and cents: `$1,234.50`, `-$3.10`."""
    rounded = _cents(amount)
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,f}"


def price(amount: Decimal) -> str:
    """Return a price with two places, or with as many as it has."""
    whole, _, places = f"{amount:,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def quantity(amount: Decimal) -> str:
    """Return a number of shares without trailing zeros."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def signed(amount: Decimal, unit: str = "") -> Text:
    """Return a gain in green with a plus, a loss in red with a minus, to two places."""
    rounded = _cents(amount)
    return Text(f"{rounded:+,f}{unit}" if rounded else f"0.00{unit}", style=_style(rounded))


def change(amount: Decimal) -> Text:
    """Return a change of price with its sign and colour, and with as many places as it has."""
    text = price(abs(amount))
    return Text(f"{'+' if amount > 0 else '-' if amount < 0 else ''}{text}", style=_style(amount))


def instant(timestamp: str) -> str:
    """Return an RFC 3339 time of the desk to the second, as people write it."""
    return clean(timestamp)[:19].replace("T", " ")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT)


def _style(amount: Decimal) -> str:
    if amount > 0:
        return "green"
    return "red" if amount < 0 else ""
