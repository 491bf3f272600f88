"""How amounts and texts are shown to people."""

from decimal import Decimal

import pytest

from paperdesk.cli.output import change, clean, instant, money, price, quantity, signed


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1234567.891", "$1,234,567.89"),
        ("-3.1", "-$3.10"),
        ("0", "$0.00"),
        ("-0.001", "$0.00"),
        ("1E+3", "$1,000.00"),
        ("9999999999999.999999", "$10,000,000,000,000.00"),
    ],
)
def test_money_has_cents_and_thousands(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("190", "190.00"),
        ("190.100000000", "190.10"),
        ("0.000000001", "0.000000001"),
        ("1E-9", "0.000000001"),
        ("1234.5678", "1,234.5678"),
    ],
)
def test_a_price_has_as_many_places_as_it_needs(amount: str, text: str) -> None:
    assert price(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("10", "10"), ("10.000000000", "10"), ("0.5", "0.5"), ("1000", "1,000"), ("1E+2", "100")],
)
def test_a_quantity_has_no_trailing_zeros(amount: str, text: str) -> None:
    assert quantity(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text", "style"),
    [("12.345", "+12.34", "green"), ("-0.5", "-0.50", "red"), ("0.001", "0.00", "")],
)
def test_a_gain_is_green_with_a_plus_and_a_loss_red_with_a_minus(
    amount: str, text: str, style: str
) -> None:
    shown = signed(Decimal(amount))

    assert (shown.plain, shown.style) == (text, style)


@pytest.mark.parametrize(
    ("amount", "text"), [("0.0005", "+0.0005"), ("-1", "-1.00"), ("0", "0.00")]
)
def test_a_change_of_price_keeps_its_places(amount: str, text: str) -> None:
    assert change(Decimal(amount)).plain == text


def test_control_characters_are_taken_out() -> None:
    assert clean("a\x1b[2Jb\r\nc\u202e") == "a[2Jb c"
    assert clean(None) == ""


def test_an_instant_is_shown_to_the_second() -> None:
    assert instant("2026-11-20T15:00:00.123456Z") == "2026-11-20 15:00:00"
