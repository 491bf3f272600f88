"""What formats make of a file under other options, or beside another file."""

from typing import Final

import pytest

from paperdesk.imports.model import Question
from support.imports import outcomes, told

_YAHOO: Final = "Symbol,Date,Trade Date,Purchase Price,Quantity,Commission,Transaction Type\n"


def test_yahoo_has_rows_in_the_currency_of_their_exchange() -> None:
    text = (
        f"{_YAHOO}VWCE.DE,2026/11/19,20260306,130,2,1,BUY\nAAPL,2026/11/19,20260306,190,2,1,BUY\n"
        "$$CASH_TX,,20260305,,500,,DEPOSIT\n"
    )
    assert [told(each) for each in outcomes(text, currency="EUR")] == [
        "2 buy 2026-03-06 VWCE.DE q=2 p=130 fee=1 net=-261 EUR",
        "3 rejected CURRENCY Symbol",
        "4 deposit 2026-03-05 net=500 EUR",
    ]


def test_wealthfolio_had_no_amounts_once() -> None:
    text = (
        "date,symbol,quantity,activityType,unitPrice,currency,fee\n"
        "2024-01-01T15:02:36.329Z,MSFT,1,DIVIDEND,57.5,USD,0\n"
        "2023-12-15T00:00:00.000Z,MSFT,30,BUY,368.6046511627907,USD,0\n"
        "2023-08-11T14:55:30.863Z,$CASH-USD,600.03,DEPOSIT,1,USD,0\n"
        "2023-08-12,$CASH-USD,1,WITHDRAWAL,1,USD,0\n"
    )
    assert [told(each) for each in outcomes(text)] == [
        "2 dividend 2024-01-01T15:02:36.329000Z MSFT net=57.5",
        "3 buy 2023-12-15 MSFT q=30 p=368.604651163 net=-11058.139535",
        "4 deposit 2023-08-11T14:55:30.863000Z net=600.03",
        "5 rejected MISSING net",
    ]


def test_wealthfolio_asks_which_number_of_a_date_is_the_day() -> None:
    text = (
        "date,symbol,quantity,activityType,unitPrice,currency,fee,amount\n"
        "03/04/2026,AAPL,1,BUY,200,USD,,200\n"
    )
    with pytest.raises(Question) as asked:
        outcomes(text)
    assert asked.value.option == "date_order"
    assert [told(each) for each in outcomes(text, date_order="day_first")] == [
        "2 buy 2026-04-03 AAPL q=1 p=200 net=-200"
    ]


def test_wealthfolio_has_a_tax_beside_an_amount_in_it_or_not() -> None:
    text = (
        "date,symbol,quantity,activityType,unitPrice,currency,fee,tax,amount\n"
        "2026-02-01,MSFT,1,DIVIDEND,0.75,USD,0,0.11,0.75\n"
        "2026-02-01,MSFT,10,SELL,400,USD,1,2,4000\n"
    )
    assert [told(each) for each in outcomes(text)] == [
        "2 rejected UNSUPPORTED tax",
        "3 sell 2026-02-01 MSFT q=10 p=400 fee=1 tax=2 net=3997",
    ]
