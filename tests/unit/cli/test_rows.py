"""Tables that fit a terminal without cutting anything."""

from io import StringIO

import pytest
from rich.console import Console

from paperdesk.cli.output import table
from paperdesk.cli.rows import Rows

ID = "01a20132-3a10-7c0e-8e0b-2d1b6f0c9a51"
NOTE = "half of it was sold because the price had fallen through the line of March"


def shown(rows: Rows, width: int, *, terminal: bool = True) -> list[str]:
    file = StringIO()
    Console(file=file, width=width, force_terminal=terminal, color_system=None).print(rows)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def orders() -> Rows:
    rows = table("Placed", "Side", ">Price", "~Note", "Id", drop=("Placed", "Price"), apart="Id")
    rows.add_row("2026-11-22 02:59:58", "buy", "1,185.25", NOTE, ID)
    rows.add_row("2026-11-22 02:59:57", "sell", "9.123456789", "", ID.replace("1", "2"))
    return rows


def test_a_table_that_fits_is_shown_whole() -> None:
    for lines in (shown(orders(), 160), shown(orders(), 160, terminal=False)):
        assert len(lines) in {3, 4}
        assert lines[-2].split() == ["2026-11-22", "02:59:58", "buy", "1,185.25", *NOTE.split(), ID]
        assert lines[-1].endswith(f"sell  9.123456789{' ' * (len(NOTE) + 4)}{ID.replace('1', '2')}")


@pytest.mark.parametrize("width", [40, 59, 60, 80, 100])
def test_a_narrow_terminal_cuts_no_figure_and_no_id(width: int) -> None:
    lines = shown(orders(), width)

    assert max(map(len, lines)) <= width
    for one in (ID, ID.replace("1", "2")):
        assert any(line.endswith(f"  {one}") for line in lines)
    assert (f"  {ID}" in lines) is (width < 100)
    text = " ".join(lines)
    for figure in ("1,185.25", "9.123456789"):
        assert figure in text
    for word in NOTE.split():
        assert word in text
    assert ("02:59:58" in text) is (width >= 60)
    assert (lines[-1] == "No room for: Placed.") is (width < 60)


def test_columns_go_in_their_order_and_say_so() -> None:
    rows = table("Ticker", ">Cost", ">Price", ">Value", drop=("Cost", "Price"))
    rows.add_row("AAPL", "191.155914", "191.424731183", "$8,901.25")

    assert shown(rows, 44)[-1].split() == ["AAPL", "191.155914", "191.424731183", "$8,901.25"]
    assert shown(rows, 43)[-2].split() == ["AAPL", "191.424731183", "$8,901.25"]
    assert shown(rows, 43)[-1] == "No room for: Cost."
    assert shown(rows, 27)[-2].split() == ["AAPL", "$8,901.25"]
    assert shown(rows, 27)[-1] == "No room for: Cost, Price."


def test_what_fits_nowhere_is_folded_and_loses_no_digit() -> None:
    rows = table(">Value")
    rows.add_row("1234567890123.123456789")

    assert "".join(line.strip() for line in shown(rows, 10)[2:]) == "1234567890123.123456789"


def test_an_empty_column_is_left_out_without_a_word() -> None:
    rows = table("Ticker", "Strategy", ">Value", drop=("Strategy",))
    rows.add_row("AAPL", "", "$8,901.25")

    assert shown(rows, 18)[-1].split() == ["AAPL", "$8,901.25"]
