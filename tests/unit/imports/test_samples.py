"""Each format's sample, with its traps, and the exact activities that come of it.

What is expected of a sample is a file of its own, with a line for each row.
"""

import csv
import io
from itertools import pairwise
from typing import Any, Final

import pytest

from paperdesk.imports.model import Activity
from support.imports import ACTIVITIES, SAMPLES, opened, outcomes, told

_MAPPED: Final = {
    "european.csv": {
        "at": "Datum",
        "ticker": "Wertpapier",
        "kind": "Art",
        "quantity": "Stück",
        "price": "Kurs",
        "fee": "Gebühr",
        "net": "Betrag",
    }
}
_FILES: Final = {
    "alpaca.json": ("alpaca", "utf-8", ""),
    "degiro.csv": ("degiro", "utf-8", ","),
    "degiro_nl.csv": ("degiro", "utf-8", ","),
    "european.csv": ("generic", "cp1252", ";"),
    "fidelity.csv": ("fidelity", "utf-8-sig", ","),
    "fidelity_all_accounts.csv": ("fidelity", "utf-8", ","),
    "generic.csv": ("generic", "utf-8", ","),
    "ghostfolio.csv": ("ghostfolio_csv", "utf-8", ","),
    "ghostfolio.json": ("ghostfolio_json", "utf-8", ""),
    "ibkr_activity.csv": ("ibkr_activity", "utf-8", ","),
    "ibkr_activity_accounts.csv": ("ibkr_activity", "utf-8", ","),
    "ibkr_flex_cash.csv": ("ibkr_flex_cash", "utf-8", ","),
    "ibkr_flex_cash_full.csv": ("ibkr_flex_cash", "utf-8", ","),
    "ibkr_flex_trades.csv": ("ibkr_flex_trades", "utf-8", ","),
    "ibkr_flex_trades_short.csv": ("ibkr_flex_trades", "utf-8", ","),
    "paperdesk.csv": ("paperdesk", "utf-8", ","),
    "portfolio_performance_de.csv": ("portfolio_performance", "utf-8", ";"),
    "portfolio_performance_depot.csv": ("portfolio_performance", "utf-8", ","),
    "revolut.csv": ("revolut", "utf-8", ","),
    "robinhood.csv": ("robinhood", "utf-8", ","),
    "schwab.csv": ("schwab", "utf-8", ","),
    "trading212.csv": ("trading212", "utf-8", ","),
    "wealthfolio.csv": ("wealthfolio", "utf-8", ","),
    "webull.csv": ("webull", "utf-8", ","),
    "yahoo.csv": ("yahoo", "utf-8", ","),
    "yahoo_without_types.csv": ("yahoo", "utf-8", ","),
}
_READ_BY_NAME: Final = sorted(
    name
    for name, (kind, _, separator) in _FILES.items()
    if separator and kind not in {"fidelity", "ibkr_activity"}
)
"""Tables whose rows are read by the names of the columns, and by nothing more."""


def options(name: str) -> dict[str, Any]:
    return {"columns": _MAPPED[name]} if name in _MAPPED else {}


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_sample_gives_exactly_these_activities(name: str) -> None:
    found = [told(each) for each in outcomes(SAMPLES / name, **options(name))]
    assert found == (ACTIVITIES / f"{name}.txt").read_text().splitlines()


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_sample_is_recognised(name: str) -> None:
    reading = opened(SAMPLES / name, **options(name))
    assert (reading.format, reading.encoding, reading.separator) == _FILES[name]


def test_every_sample_is_tested() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == set(_FILES)
    assert {path.stem for path in ACTIVITIES.iterdir()} == set(_FILES)


@pytest.mark.parametrize("name", sorted(_FILES))
def test_the_same_file_gives_the_same_keys_and_no_two_rows_share_one(name: str) -> None:
    def keys() -> list[str]:
        found = outcomes(SAMPLES / name, **options(name))
        return [each.key for each in found if isinstance(each, Activity)]

    assert keys() == keys()
    assert len(set(keys())) == len(keys())


@pytest.mark.parametrize("name", _READ_BY_NAME)
def test_the_order_of_columns_changes_no_activity(name: str) -> None:
    reading = opened(SAMPLES / name, **options(name))
    text = (SAMPLES / name).read_bytes().decode(reading.encoding)
    written = io.StringIO()
    writer = csv.writer(written, delimiter=reading.separator)
    # A column without a name goes with the one before it.
    named = [place for place, name in enumerate(reading.columns) if name]
    pairs = [range(*ends) for ends in pairwise([*named, len(reading.columns)])]
    for cells in csv.reader(io.StringIO(text), delimiter=reading.separator):
        whole = len(cells) >= len(reading.columns)
        writer.writerow(
            [cells[place] for pair in pairs[::-1] for place in pair] if whole else cells
        )
    found = [told(each) for each in outcomes(written.getvalue(), **options(name))]
    expected = (ACTIVITIES / f"{name}.txt").read_text().splitlines()
    assert _activities(found) == _activities(expected)


def _activities(told_lines: list[str]) -> list[str]:
    """Return what is booked, without the lines on which it stands."""
    said = [line.partition(" ")[2] for line in told_lines]
    return [each for each in said if not each.startswith(("rejected ", "skipped "))]
