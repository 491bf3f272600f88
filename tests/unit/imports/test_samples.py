# ruff: noqa: E501 - a row is a line
"""Each format's sample, with its traps, and the exact activities that come of it."""

from typing import Any, Final

import pytest

from paperdesk.imports.model import Activity
from support.imports import SAMPLES, opened, outcomes, told

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
_EXPECTED: Final = {
    "alpaca.json": """
        2 buy 2026-03-02T14:35:10.123456Z AAPL q=4 p=190.25 net=-761 id=20260302143510123::0b0c9f5e-0001
        16 buy 2026-03-02T14:35:10.124000Z AAPL q=6 p=190.26 net=-1141.56 id=20260302143510124::0b0c9f5e-0002
        30 sell 2026-03-03T14:35:10Z TSLA q=2 p=300 net=600 id=20260303143510124::0b0c9f5e-0003
        43 dividend 2026-03-10 AAPL q=10 p=0.24 net=2.4 id=20260310000000000::d-1
        53 tax 2026-03-10 AAPL q=10 p=0.24 net=-0.36 id=20260310000000000::d-2
        63 interest 2026-03-11 net=0.07 id=20260311000000000::i-1
        70 deposit 2026-03-12 net=5000 id=20260312000000000::c-1
        77 withdrawal 2026-03-13 net=-100 id=20260313000000000::c-2
        84 withdrawal 2026-03-13 net=-20.5 id=20260313000000000::c-3
        91 fee 2026-03-14 net=-0.02 id=20260314000000000::f-1
        99 skipped NO_EFFECT
        110 stock_split 2026-03-16 AAPL ratio=3:1 id=20260316000000000::s-2
        121 rejected RATIO description
        129 skipped INSTRUMENT
        142 skipped INSTRUMENT
        155 skipped INSTRUMENT
        163 skipped CANCELLED
        171 rejected UNSUPPORTED activity_type
        179 transfer_in 2026-03-22 NVDA q=5 id=20260322000000000::t-1
    """,
    "european.csv": """
        1 skipped PREAMBLE
        4 buy 2026-03-04 AAPL q=10 p=1234.56 fee=1.5 net=-12347.1
        5 sell 2026-03-05T19:30:00Z AAPL q=2.5 p=1300 net=3250
        6 deposit 2026-03-06 net=1000
        7 withdrawal 2026-03-07 net=-10.5
        8 rejected CONTRADICTION Betrag
        9 skipped SUBTOTAL
    """,
    "fidelity.csv": """
        4 buy 2026-03-30 AAPL q=10 p=190.25 fee=0.02 net=-1902.52
        5 sell 2026-03-26 BRK.B q=2 p=480.5 fee=4.96 net=956.04
        6 dividend 2026-03-26 VTI net=12.34
        7 buy 2026-03-26 VTI q=0.05 p=246.8 net=-12.34
        8 dividend 2026-03-31 SPAXX net=1.96
        9 skipped SWEEP
        10 tax 2026-03-25 VXUS net=-0.44
        11 deposit 2026-03-24 net=6000
        12 withdrawal 2026-03-24 net=-142.25
        13 transfer_in 2026-03-23 VOO q=4
        14 skipped INSTRUMENT
        15 skipped INSTRUMENT
        16 rejected UNSUPPORTED Action
        18 skipped FOOTER
        20 skipped FOOTER
        22 skipped FOOTER
    """,
    "fidelity_all_accounts.csv": """
        3 buy 2026-03-02 GLDM q=10 p=91.13 net=-911.3 account=269138837
        4 sell 2026-03-03 EXMP q=2 p=25.5 fee=0.01 net=50.99 account=Z12345678
        5 deposit 2026-03-04 net=1000 account=Z12345678
    """,
    "generic.csv": """
        2 buy 2026-03-02T14:35:10Z AAPL q=10 p=190.25 fee=1 net=-1903.5 id=T-1 account=main
        3 buy 2026-03-02T14:35:10Z AAPL q=10 p=190.25 fee=1 net=-1903.5 account=main
        4 buy 2026-03-02T14:35:10Z AAPL q=10 p=190.25 fee=1 net=-1903.5 account=main
        5 sell 2026-03-03T20:59:59.250000Z AAPL q=4 p=195.5 fee=1 net=781.02 diff=0.02 id=T-4 account=main
        6 buy 2026-03-04 BRK.B q=0.5 p=480 net=-240 account=main
        7 dividend 2026-03-05 AAPL q=16 net=3.84 account=main
        8 deposit 2026-03-06 net=1000 account=main
        9 withdrawal 2026-03-06 net=-250.5 account=main
        10 stock_split 2026-03-09 AAPL q=12 account=main
        11 rejected CURRENCY currency
        12 skipped INSTRUMENT
        13 skipped INSTRUMENT
        14 rejected TICKER symbol
        15 rejected NUMBER quantity
        16 rejected KIND side
        17 rejected DATE date
        18 rejected FUTURE date
    """,
    "ghostfolio.csv": """
        2 fee 2021-09-01 p=0 net=-49
        3 buy 2021-09-16 MSFT q=5 p=298.58 fee=19 net=-1511.9
        4 dividend 2021-11-16 MSFT q=5 p=0.62 net=3.1
        5 skipped NO_EFFECT
        6 rejected MISSING Quantity
        7 skipped INSTRUMENT
        8 rejected CURRENCY Currency
    """,
    "ghostfolio.json": """
        25 buy 2026-01-05 AAPL q=0.1 p=190.3 fee=1.25 net=-20.28 account=a1
        38 sell 2026-01-05T15:30:00Z BRK-B q=3 p=480.5 net=1441.5 account=a1
        50 dividend 2026-02-11 AAPL q=10 p=0.25 net=2.5 account=a1
        62 fee 2026-02-12 p=0 net=-5 account=a1
        74 interest 2026-02-13 q=1 p=0.25 net=0.25 account=a1
        86 skipped INSTRUMENT
        98 skipped NO_EFFECT
        110 skipped INSTRUMENT
        122 rejected CURRENCY currency
    """,
    "ibkr_activity.csv": """
        2 skipped NO_EFFECT
        3 skipped NO_EFFECT
        4 skipped NO_EFFECT
        5 skipped HEADER_AGAIN
        6 skipped NO_EFFECT
        7 skipped NO_EFFECT
        8 skipped HEADER_AGAIN
        9 skipped NO_EFFECT
        10 skipped HEADER_AGAIN
        11 skipped NO_EFFECT
        12 skipped HEADER_AGAIN
        13 skipped NO_EFFECT
        14 skipped SUBTOTAL
        15 skipped HEADER_AGAIN
        16 buy 2026-05-01T13:35:00Z AAPL q=10 p=190 fee=1.35 net=-1901.35 account=U1234567
        17 skipped SUBTOTAL
        18 skipped SUBTOTAL
        19 sell 2026-05-04T19:59:01Z BRK.B q=1000 p=480.5 fee=7.12 net=480492.88 account=U1234567
        20 skipped SUBTOTAL
        21 skipped SUBTOTAL
        22 rejected CURRENCY Currency
        23 buy 2026-05-05T14:10:00Z MSFT q=5 p=400 net=-1999.88 diff=0.12 account=U1234567
        24 rejected UNSUPPORTED DataDiscriminator
        25 skipped SUBTOTAL
        26 skipped HEADER_AGAIN
        27 skipped INSTRUMENT
        28 skipped HEADER_AGAIN
        29 skipped INSTRUMENT
        30 skipped HEADER_AGAIN
        31 stock_split 2026-05-09T00:25:00Z NVDA ratio=10:1 account=U1234567
        32 rejected UNSUPPORTED Description
        33 rejected UNSUPPORTED Description
        34 rejected UNSUPPORTED Description
        35 rejected UNSUPPORTED Description
        36 skipped SUBTOTAL
        37 skipped HEADER_AGAIN
        38 transfer_in 2026-05-12 VTI q=150 account=U1234567
        39 withdrawal 2026-05-12 net=-500 account=U1234567
        40 skipped HEADER_AGAIN
        41 deposit 2026-05-13 net=1000 account=U1234567
        42 withdrawal 2026-05-14 net=-250.5 account=U1234567
        43 skipped SUBTOTAL
        44 skipped SUBTOTAL
        45 skipped HEADER_AGAIN
        46 fee 2026-05-15 net=-1.5 account=U1234567
        47 skipped SUBTOTAL
        48 skipped HEADER_AGAIN
        49 dividend 2026-05-18 AAPL p=0.25 net=2.5 account=U1234567
        50 skipped SUBTOTAL
        51 skipped FOOTER
        52 rejected UNSUPPORTED Header
        53 skipped HEADER_AGAIN
        54 tax 2026-05-18 AAPL net=-0.38 account=U1234567
        55 skipped HEADER_AGAIN
        56 interest 2026-05-19 net=1.12 account=U1234567
        57 rejected CURRENCY Currency
        58 skipped HEADER_AGAIN
        59 skipped INSTRUMENT
        60 skipped HEADER_AGAIN
        61 rejected UNSUPPORTED Transaction Fees
        62 skipped HEADER_AGAIN
        63 skipped NO_EFFECT
        64 skipped HEADER_AGAIN
        65 skipped NO_EFFECT
    """,
    "ibkr_activity_accounts.csv": """
        2 skipped NO_EFFECT
        3 skipped HEADER_AGAIN
        4 skipped NO_EFFECT
        5 skipped HEADER_AGAIN
        6 buy 2026-05-01T14:00:00Z VTI q=2 p=250 fee=1 net=-501 account=U1111111
        7 buy 2026-05-01T14:00:00Z VTI q=2 p=250 fee=1 net=-501 account=U2222222
        8 rejected CELLS
        9 skipped HEADER_AGAIN
        10 dividend 2026-05-18 VTI p=0.78 net=1.56 account=U1111111
        11 rejected CELLS
    """,
    "ibkr_flex_cash.csv": """
        2 dividend 2026-03-27 VTI p=0.7862 net=23.59
        3 tax 2026-03-27 VTI net=-3.54
        4 tax 2026-03-30 VTI net=3.54
        5 dividend 2026-03-30 BRK.B net=1.2
        6 dividend 2026-03-31 VTI p=0.7862 net=-23.59
        7 deposit 2026-04-01 net=1000
        8 withdrawal 2026-04-02 net=-250.5
        9 interest 2026-04-03 net=1.07
        10 interest 2026-04-03 net=-0.48
        11 tax 2026-04-03 net=-0.21
        12 fee 2026-04-04 net=-1.5
        13 skipped INSTRUMENT
        14 rejected CURRENCY CurrencyPrimary
        15 rejected UNSUPPORTED Type
    """,
    "ibkr_flex_cash_full.csv": """
        2 skipped SUBTOTAL
        3 dividend 2026-03-28T00:20:00Z VTI p=0.7862 net=11.79 id=29000001 account=U1234567
        4 deposit 2026-04-01 net=1000 id=29000002 account=U1234567
        5 skipped INSTRUMENT
    """,
    "ibkr_flex_trades.csv": """
        2 skipped SUBTOTAL
        3 buy 2026-03-05T16:00:14Z VTI q=6 p=251.3 fee=1 net=-1508.8 id=0000e0d5.65e6c1b1.01.01 account=U1234567
        4 buy 2026-03-05T16:00:14Z VTI q=4 p=251.3 fee=0.35 net=-1005.55 id=0000e0d5.65e6c1b1.01.02 account=U1234567
        5 sell 2026-03-10T19:59:59Z BRK.B q=2 p=480.5 fee=1.000123 tax=0.03 net=959.969877 id=610003 account=U1234567
        6 skipped SUBTOTAL
        7 buy 2026-03-11T13:35:01Z AAPL q=100 p=190 net=-18999.88 diff=0.12 id=0000e0d5.65e6c1b1.01.04 account=U1234567
        8 rejected UNSUPPORTED Buy/Sell
        9 skipped INSTRUMENT
        10 skipped INSTRUMENT
        11 rejected CURRENCY CurrencyPrimary
        12 rejected CURRENCY IBCommissionCurrency
        13 rejected CONTRADICTION Quantity
        14 rejected UNSUPPORTED Buy/Sell
        15 rejected UNSUPPORTED AssetClass
        16 rejected UNSUPPORTED LevelOfDetail
    """,
    "ibkr_flex_trades_short.csv": """
        2 buy 2026-03-02 VTI q=15 p=246.81 fee=1 net=-3703.15
        3 buy 2026-03-02 VTI q=15 p=246.81 fee=1 net=-3703.15
        4 sell 2026-03-03 VTI q=5 p=250 net=1250.25 diff=0.25
        5 rejected TICKER ISIN
        6 skipped HEADER_AGAIN
        7 buy 2026-03-05 AAPL q=1 p=190 fee=0.35 net=-190.35
    """,
    "revolut.csv": """
        2 deposit 2026-03-02T09:00:00.835101Z net=5000
        3 buy 2026-03-02T14:35:10.514000Z AAPL q=1.5 p=190.2 net=-286.29 diff=-0.99
        4 sell 2026-03-03T15:00:00Z AAPL q=0.5 p=195 net=97.49 diff=-0.01
        5 dividend 2026-03-04T10:00:00Z AAPL net=0.38
        6 fee 2026-03-05T10:00:00Z net=-0.12
        7 withdrawal 2026-03-06T10:00:00Z net=-30.93
        8 stock_split 2026-03-07T10:00:00Z NVDA q=9
        9 rejected CURRENCY Currency
        10 rejected UNSUPPORTED Type
        11 rejected UNSUPPORTED Type
    """,
    "robinhood.csv": """
        2 buy 2026-03-13 AAPL q=10 p=223.358 net=-2233.58
        4 buy 2026-03-13 AAPL q=10 p=223.358 net=-2233.58
        6 sell 2026-03-12 BRK.B q=1 p=1480.5 net=1480.48 diff=-0.02
        8 dividend 2026-03-11 AAPL net=5
        9 fee 2026-03-10 TSM net=-0.2
        10 fee 2026-03-09 net=-5
        11 deposit 2026-03-06 net=5000
        12 withdrawal 2026-03-05 net=-250
        13 deposit 2026-03-04 net=100
        14 interest 2026-03-04 net=0.12
        15 skipped INSTRUMENT
        16 skipped INSTRUMENT
        17 stock_split 2026-03-02 NVDA q=90
        19 rejected UNSUPPORTED Trans Code
        20 skipped FOOTER
    """,
    "schwab.csv": """
        1 skipped PREAMBLE
        3 buy 2026-03-30 BND q=0.0249 p=73.8993 net=-1.84 diff=0.000093
        4 dividend 2026-03-30 BND net=1.84
        5 sell 2026-03-13 AMZN q=1471 p=170.07 fee=2 net=250170.97
        6 buy 2026-03-12 BRK.B q=3 p=480.5 net=-1441.5
        7 dividend 2026-03-11 AAPL net=12.45
        8 tax 2026-03-11 NVO net=-0.98
        9 fee 2026-03-10 NVO net=-2.25
        10 deposit 2026-03-09 net=1000
        11 withdrawal 2026-03-09 net=-400
        12 interest 2026-03-06 net=-7.14
        13 stock_split 2026-03-05 AMZN q=4009
        14 transfer_out 2026-03-04 AMZN q=45 p=230.28
        15 skipped INSTRUMENT
        16 rejected UNSUPPORTED Action
        17 rejected TICKER Symbol
        19 skipped SUBTOTAL
    """,
    "trading212.csv": """
        2 buy 2026-03-02T14:35:10.123000Z AAPL q=10 p=190.25 net=-1902.5 id=EOF0001
        3 sell 2026-03-03T15:00:00Z AAPL q=4 p=195.5 fee=0.02 net=781.98 id=EOF0002
        4 buy 2026-03-04T15:00:00Z MSFT q=2 p=400 fee=1.2 net=-801.2 GBP rate=1.25 id=EOF0003
        5 rejected CURRENCY Currency (Total)
        6 rejected CURRENCY Currency (Total)
        7 rejected CURRENCY Currency conversion fee
        8 dividend 2026-03-06T10:00:00Z AAPL q=6 p=0.24 net=1.22
        9 interest 2026-03-07T02:00:00Z net=0.07 id=EOF0007
        10 deposit 2026-03-08T10:00:00Z net=1000 id=EOF0008
        11 withdrawal 2026-03-09T10:00:00Z net=-250 id=EOF0009
        12 rejected UNSUPPORTED Action
        13 rejected UNSUPPORTED Action
    """,
}
_FILES: Final = {
    "alpaca.json": ("alpaca", "utf-8", ""),
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
    "revolut.csv": ("revolut", "utf-8", ","),
    "robinhood.csv": ("robinhood", "utf-8", ","),
    "schwab.csv": ("schwab", "utf-8", ","),
    "trading212.csv": ("trading212", "utf-8", ","),
}


def options(name: str) -> dict[str, Any]:
    return {"columns": _MAPPED[name]} if name in _MAPPED else {}


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_sample_gives_exactly_these_activities(name: str) -> None:
    found = [told(each) for each in outcomes(SAMPLES / name, **options(name))]
    assert found == [line.strip() for line in _EXPECTED[name].strip().splitlines()]


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_sample_is_recognised(name: str) -> None:
    reading = opened(SAMPLES / name, **options(name))
    assert (reading.format, reading.encoding, reading.separator) == _FILES[name]


def test_every_sample_is_tested() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == set(_FILES) == set(_EXPECTED)


@pytest.mark.parametrize("name", sorted(_FILES))
def test_the_same_file_gives_the_same_keys_and_no_two_rows_share_one(name: str) -> None:
    def keys() -> list[str]:
        found = outcomes(SAMPLES / name, **options(name))
        return [each.key for each in found if isinstance(each, Activity)]

    assert keys() == keys()
    assert len(set(keys())) == len(keys())
