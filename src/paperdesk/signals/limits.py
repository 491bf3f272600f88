"""What the limits of a webhook say of a signal: pure checks, each a sentence where it refuses.

Whether a signal may trade at all is asked when it comes, and again in the transaction that books;
how much it may trade only there. What closes or reduces a position passes the limits on size and
the quiet hours: nobody should be kept in a position by them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from paperdesk.ledger.booking import value_of
from paperdesk.models import Side
from paperdesk.signals.reading.model import Understood
from paperdesk.signals.terms import Limits


def why_not(
    said: Understood, limits: Limits, now: datetime, *, at_any_age: bool = False
) -> str | None:
    """Say why a signal may not trade, whatever is held; None: it may.

    `at_any_age` is for those that a person wants traded now: replays, and what was approved.
    """
    if limits.tickers is not None and said.ticker not in limits.tickers:
        return f"This webhook does not trade {said.ticker}. Add it to the tickers of its limits."
    return None if at_any_age else _why_stale(said, limits, now)


def _why_stale(said: Understood, limits: Limits, now: datetime) -> str | None:
    patience = [each for each in (limits.stale_after_seconds, said.max_lag) if each is not None]
    if not patience:
        return None
    most = min(patience)
    if said.time_unread:
        # A limit that cannot be checked is not passed.
        return (
            f"The time of the alert cannot be read, and {most} s is the most that it may be old. "
            "Send it as 2026-11-22T14:30:00Z, or as {{timenow}}."
        )
    if said.sent_at is not None and now - said.sent_at > timedelta(seconds=float(most)):
        age = (now - said.sent_at).total_seconds()
        return f"The alert is {age:.0f} s old, and {most} s is the most."
    return None


def worst_price(
    side: Side, limit_price: Decimal | None, stop_price: Decimal | None, market: Decimal
) -> Decimal:
    """Return what a share of an order may cost, or be worth where it is sold: never less than that.

    A buy with a limit costs at most that. Anything else may be filled at the market, whatever its
    own price says: a stop below it at once, and a sale for more than its limit.
    """
    if side is Side.buy and limit_price is not None:
        return limit_price
    return max(limit_price or stop_price or market, market)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an order does to a position. Shares, less than 0 where sold short; US dollars."""

    side: Side
    held: Decimal
    shares: Decimal
    """What the order is for."""
    waiting: Decimal
    """Shares that open orders of its side are still to buy or sell."""
    price: Decimal

    @property
    def before(self) -> Decimal:
        """The position once the open orders of its side are filled."""
        return self._moved(self.held, self.waiting)

    @property
    def after(self) -> Decimal:
        """The position once it is filled too."""
        return self._moved(self.before, self.shares)

    def _moved(self, position: Decimal, shares: Decimal) -> Decimal:
        return position + (shares if self.side is Side.buy else -shares)

    @property
    def opened(self) -> Decimal:
        """How many shares it opens or adds; 0 where it only closes."""
        if self.after * self.before < 0:
            return abs(self.after)
        return max(Decimal(0), abs(self.after) - abs(self.before))

    @property
    def notional(self) -> Decimal:
        """What the shares that it opens are worth."""
        return value_of(self.opened, self.price)


def why_not_so(
    effect: Effect, limits: Limits, now: datetime, zone: ZoneInfo, traded_today: Decimal
) -> str | None:
    """Say why an order goes beyond the limits; None: it does not.

    `traded_today` is what the webhook's orders of the day opened, in US dollars.
    """
    if limits.sides is not None and effect.side not in limits.sides:
        return f"This webhook does not {effect.side}. Add it to the sides of its limits."
    if not effect.opened:
        return None
    if any(hours.cover(now, zone) for hours in limits.quiet_hours):
        return "These are quiet hours of the webhook: nothing is opened."
    return _why_not_so_much(effect, limits, traded_today) or _why_not_so_large(effect, limits)


def _why_not_so_much(effect: Effect, limits: Limits, traded_today: Decimal) -> str | None:
    notional = effect.notional
    if (most := limits.max_notional_per_order) is not None and notional > most:
        return f"The order opens ${notional:,.2f}, and ${most:,.2f} is the most for one order."
    if (most := limits.max_notional_per_day) is not None and traded_today + notional > most:
        return (
            f"The order opens ${notional:,.2f}, the orders of today ${traded_today:,.2f}, and "
            f"${most:,.2f} is the most for a day."
        )
    return None


def _why_not_so_large(effect: Effect, limits: Limits) -> str | None:
    held = abs(effect.after)
    if (most := limits.max_position) is not None and held > most:
        return (
            f"The position would be {held.normalize():f} shares with the orders that are open, and "
            f"{most.normalize():f} is the most."
        )
    worth = value_of(held, effect.price)
    if (most := limits.max_position_notional) is not None and worth > most:
        return (
            f"The position would be worth ${worth:,.2f} with the orders that are open, and "
            f"${most:,.2f} is the most."
        )
    return None
