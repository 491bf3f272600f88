"""Which market hours the settings ask for."""

from datetime import date, datetime, timedelta, timezone

import pytest

from paperdesk.market.sources import hours_for
from paperdesk.settings import Settings


@pytest.mark.parametrize(
    ("value", "key", "name"),
    [
        ("", "", "24x7"),
        ("auto", "", "24x7"),
        ("auto", "  ", "24x7"),  # the simulator's too: a blank key is none
        ("auto", "secret", "nyse"),
        ("24x7", "secret", "24x7"),
        ("nyse", "", "nyse"),
    ],
)
def test_hours_follow_the_setting_and_else_the_source(
    monkeypatch: pytest.MonkeyPatch, value: str, key: str, name: str
) -> None:
    monkeypatch.setenv("PAPERDESK_MARKET_HOURS", value)
    monkeypatch.setenv("MASSIVE_API_KEY", key)
    assert hours_for(Settings.load()).name == name


def test_days_round_the_clock_are_those_of_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERDESK_TIMEZONE", "Asia/Kathmandu")
    session = hours_for(Settings.load()).session_on(date(2026, 11, 27))
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert session is not None
    assert session.opens == datetime(2026, 11, 27, tzinfo=kathmandu)
