"""The market as orders meet it: prices, a clock, and when it is open."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paperdesk.clock import Clock
from paperdesk.errors import PriceUnavailable
from paperdesk.market.hours import Hours
from paperdesk.market.quotes import Quote, QuoteBoard
from paperdesk.models import TimeInForce

AUCTION: Final = timedelta(minutes=1)
"""How long orders for the opening or the close wait there for a price."""


@dataclass(frozen=True, slots=True)
class Venue:
    """Where orders are filled. Read from the writer's thread."""

    board: QuoteBoard
    clock: Clock
    hours: Hours

    def fresh(self, ticker: str) -> Quote:
        """Return the current price. Raises PriceUnavailable where there is none."""
        quote = self.board.fresh(ticker)
        if quote is None:
            raise PriceUnavailable(
                f"There is no current price of {ticker}. Nothing was booked; try again when "
                "its price moves."
            )
        return quote

    def last_known(self, ticker: str) -> Quote:
        """Return the latest price however old. Raises PriceUnavailable where there never was one.

        Good to say what an order may cost; never to fill one.
        """
        return self.board.latest(ticker) or self.fresh(ticker)

    def trades(self, at: datetime, time_in_force: TimeInForce, *, extended: bool) -> bool:
        """Say whether orders of a kind may be filled at an instant.

        Those for the opening are filled in its first minute, those for the close in the minute
        after it: at the first price that comes then.
        """
        match time_in_force:
            case TimeInForce.opg:
                return self._opening(at) <= at
            case TimeInForce.cls:
                return self._closing(at) <= at
            case _:
                return self.hours.is_open(at, extended=extended)

    def expiry(
        self, at: datetime, time_in_force: TimeInForce, *, extended: bool
    ) -> datetime | None:
        """Return when an order placed at an instant ends; None: when it is canceled."""
        match time_in_force:
            case TimeInForce.day:
                session = self.hours.current(at)
                if not extended and at >= session.closes:
                    session = self.hours.current(session.late)
                return session.late if extended else session.closes
            case TimeInForce.opg:
                return self._opening(at) + AUCTION
            case TimeInForce.cls:
                return self._closing(at) + AUCTION
            case _:
                return None

    def _opening(self, at: datetime) -> datetime:
        """Return the opening that is not over at an instant, this one or the next."""
        return self.hours.next_open(at - AUCTION)

    def _closing(self, at: datetime) -> datetime:
        """Return the close that is not over at an instant, this one or the next."""
        return self.hours.next_close(at - AUCTION)
