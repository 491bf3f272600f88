"""What formats make of a file under other options, or beside another file."""

from typing import Final

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
