"""What the limits of a webhook let through."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from paperdesk.models import Side
from paperdesk.signals.limits import Effect, why_not, why_not_so
from paperdesk.signals.reading.model import Intent, Understood
from paperdesk.signals.terms import Limits, QuietHours, Weekday

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")


def alert(ticker: str = "AAPL", **rest: Any) -> Understood:
    return Understood(intent=Intent.buy, ticker=ticker, **rest)


def effect(side: str, held: str, shares: str, waiting: str = "0") -> Effect:
    return Effect(Side(side), Decimal(held), Decimal(shares), Decimal(waiting), Decimal(100))


def refusal(effect: Effect, traded: str = "0", at: datetime = NOW, **limits: Any) -> str | None:
    return why_not_so(effect, Limits.model_validate(limits), at, ZONE, Decimal(traded))


def test_tickers_that_are_not_listed_are_refused() -> None:
    limits = Limits.model_validate({"tickers": ["aapl"]})
    assert why_not(alert(), limits, NOW) is None
    assert "does not trade MSFT" in str(why_not(alert("MSFT"), limits, NOW))


@pytest.mark.parametrize(
    ("limit", "max_lag", "age", "is_stale"),
    [
        (None, None, 1_000_000, False),
        (60, None, 60, False),
        (60, None, 61, True),
        (None, 60, 61, True),
        (300, 60, 61, True),
        (60, 300, 61, True),
        (60, None, -60, False),
    ],
)
def test_alert_is_stale_where_the_webhook_or_its_sender_says_so(
    limit: int | None, max_lag: int | None, age: int, *, is_stale: bool
) -> None:
    said = alert(
        sent_at=NOW - timedelta(seconds=age), max_lag=Decimal(max_lag) if max_lag else None
    )
    limits = Limits(stale_after_seconds=limit)
    assert (why_not(said, limits, NOW) is not None) is is_stale
    assert why_not(said, limits, NOW, at_any_age=True) is None


@pytest.mark.parametrize(
    ("order", "limits", "is_refused"),
    [
        (effect("buy", "0", "10"), {"max_notional_per_order": 1000}, False),
        (effect("buy", "0", "10.000001"), {"max_notional_per_order": 1000}, True),
        (effect("sell", "50", "50"), {"max_notional_per_order": 1000}, False),
        (effect("sell", "5", "16"), {"max_notional_per_order": 1000}, True),
        (effect("buy", "5", "5"), {"max_position": 10}, False),
        (effect("buy", "5", "5", "1"), {"max_position": 10}, True),
        (effect("sell", "0", "11"), {"max_position": 10}, True),
        (effect("sell", "20", "5"), {"max_position": 10}, False),
        (effect("sell", "10", "5", "5"), {"max_position": 1}, False),
        (effect("sell", "10", "10", "10"), {"max_position": 9}, True),
        (effect("sell", "10", "11", "10"), {"max_notional_per_order": 1000}, True),
        (effect("buy", "5", "6"), {"max_position_notional": 1000}, True),
        (effect("buy", "0", "1"), {"sides": ["sell"]}, True),
        (effect("sell", "4", "1"), {"sides": ["buy"]}, True),
        (effect("sell", "4", "1"), {"sides": ["buy", "sell"]}, False),
    ],
)
def test_size_counts_for_what_is_opened(
    order: Effect, limits: dict[str, Any], *, is_refused: bool
) -> None:
    assert (refusal(order, **limits) is not None) is is_refused


def test_orders_of_a_day_count_together() -> None:
    ten = effect("buy", "0", "10")
    assert refusal(ten, "500", max_notional_per_day=1500) is None
    assert refusal(ten, "500.000001", max_notional_per_day=1500) is not None
    assert refusal(effect("sell", "10", "10"), "1500", max_notional_per_day=1500) is None


@pytest.mark.parametrize(
    ("at", "is_quiet"),
    [
        ("2026-11-20T03:59:59", False),
        ("2026-11-20T22:00:00", True),
        ("2026-11-21T03:59:59", True),
        ("2026-11-21T04:00:00", False),
        ("2026-11-21T22:00:00", False),
    ],
)
def test_quiet_hours_run_past_midnight_from_the_days_they_begin_on(
    at: str, *, is_quiet: bool
) -> None:
    hours = QuietHours(since=time(22), until=time(4), days=(Weekday.fri,))
    here = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    assert hours.cover(here, ZONE) is is_quiet


def test_in_quiet_hours_nothing_is_opened_and_everything_can_be_left() -> None:
    hours = [{"since": "00:00", "until": "23:59"}]
    assert "quiet hours" in str(refusal(effect("buy", "0", "1"), quiet_hours=hours))
    assert refusal(effect("sell", "1", "1"), quiet_hours=hours) is None
