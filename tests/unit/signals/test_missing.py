"""Alerts that never came, told from what the next one says."""

from decimal import Decimal
from typing import Any

import pytest

from paperdesk.signals.missing import gap_between
from paperdesk.signals.reading.model import Intent, Understood


def alert(**said: Any) -> Understood:
    sizes = {name: Decimal(value) for name, value in said.items() if name.endswith("size")}
    return Understood(intent=Intent.buy, ticker="AAPL", **{**said, **sizes})


@pytest.mark.parametrize(
    ("left", "found", "is_missed"),
    [
        (("long", "10"), ("long", "10"), False),
        (("long", "10"), ("long", "5"), True),
        (("long", "10"), ("flat", "0"), True),
        (("long", "10"), ("long", None), False),
        (("short", "-10"), ("short", "10"), False),
        (("flat", None), ("flat", "0"), False),
        (("flat", "0"), ("long", "3"), True),
        ((None, None), ("long", "3"), False),
        (("long", "3"), (None, None), False),
    ],
)
def test_position_before_must_be_the_one_that_was_left(
    left: tuple[str | None, str | None], found: tuple[str | None, str | None], *, is_missed: bool
) -> None:
    def named(prefix: str, side: str | None, size: str | None) -> dict[str, str]:
        fields = {f"{prefix}market_position": side, f"{prefix}market_position_size": size}
        return {name: value for name, value in fields.items() if value is not None}

    gap = gap_between(alert(**named("", *left)), alert(**named("prev_", *found)))
    assert (gap is not None) is is_missed
    if gap:
        assert "was missed" in gap
