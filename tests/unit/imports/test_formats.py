"""What formats make of a file under other options, or beside another file."""

from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from paperdesk.imports.model import Question
from support.imports import activities, outcomes, told

_YAHOO: Final = "Symbol,Date,Trade Date,Purchase Price,Quantity,Commission,Transaction Type\n"
_GERMAN: Final = (
    "Datum;Typ;Wert;Buchungswährung;Bruttobetrag;Währung Bruttobetrag;Wechselkurs;Gebühren;Steuern;"
    "Stück;ISIN;WKN;Ticker-Symbol;Wertpapiername;Notiz"
)
_ENGLISH: Final = (
    "Date,Ex-Date,Type,Value,Transaction Currency,Gross Amount,Currency Gross Amount,Exchange Rate,"
    "Fees,Taxes,Shares,ISIN,WKN,Ticker Symbol,Security Name,Note"
)
_DEGIRO: Final = (
    "Datum,Uhrzeit,Produkt,ISIN,Referenzbörse,Ausführungsort,Anzahl,Kurs,,Wert in Lokalwährung,,"
    "Wert EUR,Wechselkurs,AutoFX-Gebühr,Transaktionsgebühren EUR,Gesamt EUR,Order-ID,"
)


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


def test_portfolio_performance_has_one_key_for_a_trade_of_account_and_depot() -> None:
    account = (
        f"{_GERMAN}\n"
        "2026-01-16T09:30;Kauf;-1.907,49;USD;;;;4,99;;10;US0378331005;865985;AAPL;Apple;\n"
        "2026-01-16T09:30;Kauf;-1.907,49;USD;;;;4,99;;10;US0378331005;865985;AAPL;Apple;\n"
        "2026-06-03T14:00;Verkauf;1.020,50;USD;;;;5,00;;5;US0378331005;865985;AAPL;Apple;\n"
    )
    depot = (
        f"{_ENGLISH}\n"
        "2026-06-03T14:00,,Sell,-1020.50,USD,,,,5.00,,5,US0378331005,865985,AAPL,Apple,sold\n"
        "2026-01-16T09:30,,Buy,1907.49,USD,,,,4.99,,10,US0378331005,865985,AAPL,Apple,\n"
        "2026-01-16T09:30,,Buy,1907.49,USD,,,,4.99,,10,US0378331005,865985,AAPL,Apple,\n"
    )
    keys = [each.key for each in activities(account)]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {each.key for each in activities(depot)}


def test_portfolio_performance_in_euros_is_booked_without_its_rate() -> None:
    text = (
        f"{_GERMAN}\n"
        "2026-02-01T10:00;Kauf;-1.841,00;EUR;2.000,00;USD;0,9200;1,00;;12,5;US5949181045;870747;"
        "MSFT;Microsoft;\n"
        "2026-02-02T10:00;Einlage;500,00;USD;;;;;;;;;;;\n"
    )
    assert [told(each) for each in outcomes(text, currency="EUR", zone=ZoneInfo("UTC"))] == [
        "2 buy 2026-02-01T10:00:00Z MSFT q=12.5 p=147.2 fee=1 net=-1841 EUR",
        "3 rejected CURRENCY Buchungswährung",
    ]


def test_portfolio_performance_asks_for_the_decimal_mark_where_no_number_has_it() -> None:
    text = f"{_GERMAN}\n2026-02-02;Einlage;1.500;USD;;;;;;;;;;;\n"
    with pytest.raises(Question) as asked:
        outcomes(text)
    assert asked.value.option == "decimal"
    assert [told(each) for each in outcomes(text, decimal=",")] == ["2 deposit 2026-02-02 net=1500"]


def test_portfolio_performance_did_not_tell_the_shares_of_an_account_once() -> None:
    text = (
        "Date,Type,Value,Transaction Currency,Taxes,Shares,ISIN,WKN,Ticker Symbol,Security Name,"
        "Note\n"
        "2020-01-02T00:00,Buy,-5.00,USD,,,BE0974258874,,BEKB,share-1,\n"
        "2021-05-01T00:00,Dividend,2.00,USD,0.00,1,BE0974258874,,BEKB,share-1,\n"
    )
    assert [told(each) for each in outcomes(text)] == [
        "2 rejected MISSING Shares",
        "3 dividend 2021-05-01 BEKB q=1 net=2",
    ]


def test_webull_has_an_order_of_several_fills_in_a_row_and_equal_orders_in_several() -> None:
    header = "Name,Symbol,Side,Status,Filled,Total Qty,Price,Avg Price,Time-in-Force,Filled Time\n"
    row = "Apple,AAPL,Buy,Filled,2,2,@310.05,310.0412345678,DAY,06/01/2026 07:21:32 EDT\n"
    once, twice = activities(header + row), activities(header + row + row)
    assert [each.price for each in once] == [Decimal("310.041234568")]
    assert [each.key for each in twice[:1]] == [each.key for each in once]
    assert len({each.key for each in twice}) == len(twice)


def test_degiro_has_no_tickers_of_its_own() -> None:
    row = 'SAP SE,DE0007164600,XET,XETA,2,"130,5",EUR,"-261,00",EUR,"-261,00",,"0,00","-1,00"'
    text = f'{_DEGIRO}\n07-01-2026,09:31,{row},"-262,00",,b93f205d\n'
    assert [told(each) for each in outcomes(text, currency="EUR")] == ["2 rejected TICKER ISIN"]
    text = text.replace("Order-ID,", "Order-ID,,Symbol").replace("b93f205d", "b93f205d,SAP.DE")
    assert [told(each) for each in outcomes(text, currency="EUR")] == [
        "2 buy 2026-01-07T08:31:00Z SAP.DE q=2 p=130.5 fee=1 net=-262 EUR"
    ]


def test_a_column_without_a_name_is_told_by_the_one_before_it() -> None:
    header = "Date,Time,Product,ISIN,Quantity,Price,,Value,,Total,,Order ID,Ticker"
    row = "07-01-2026,09:31,SAP SE,DE0007164600,2,130.5,EUR,-261.00,EUR,-262.00,EUR,b93f205d,SAP"
    assert [told(each) for each in outcomes(f"{header}\n{row}\n")] == [
        "2 rejected CURRENCY total+1"
    ]
