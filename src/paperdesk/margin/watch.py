"""The task that keeps short positions in check: fees at the end of a day, margin calls at once."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, select

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import PaperdeskError
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.views import AccountView
from paperdesk.margin.commands import CallMargin, ChargeBorrowing
from paperdesk.margin.requirement import requirement_of
from paperdesk.models import AccountRules, DeskMeta, Position, UserProfile
from paperdesk.orders.venue import Venue
from paperdesk.runtime.leader import Leadership

CHARGED: Final = "borrowing_charged"
"""The fact in `desk_meta` that says up to which day, this one included, borrowing was charged."""

EVERY: Final = 1.0
"""Seconds between two looks."""
_SETTLING: Final = 10.0
"""Seconds after the start until the first look: by then prices have come."""

log = structlog.get_logger()


class MarginWatch:
    """Charges for borrowed shares and makes margin calls. One process of a desk runs it.

    A day is one of the desk's time zone. Days on which the desk was down are charged when it is
    back, at the prices of then.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        venue: Venue,
        leadership: Leadership,
        timezone: str,
        is_open: Callable[[], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._venue = venue
        self._leadership = leadership
        self._zone = ZoneInfo(timezone)
        self._is_open = is_open
        self._charged: date | None = None
        self._seen: int | None = None

    async def run(self) -> None:
        """Watch for ever."""
        self._charged = None
        await self._clock.sleep(_SETTLING)
        while True:
            await self._clock.sleep(EVERY)
            if await self._is_open():
                await self.look()

    async def look(self) -> None:
        """Charge for the days that are over, and call the accounts that are worth too little."""
        await self._charge()
        version = self._venue.board.version
        if version != self._seen:
            self._seen = version
            await self._call()

    @property
    def _clock(self) -> Clock:
        return self._venue.clock

    async def _charge(self) -> None:
        today = self._clock.now().astimezone(self._zone).date()
        if self._charged is None:
            self._charged = await self._noted(today)
        while self._charged + timedelta(days=1) < today:
            day = self._charged + timedelta(days=1)
            ends_at = self._midnight_after(day)
            there = (AccountRules.borrow_percent > 0, UserProfile.created_at < ends_at)
            for account_id in await self._short(*there):
                try:
                    await self._ledger.submit(
                        ChargeBorrowing(account_id, day, ends_at, self._venue)
                    )
                except PaperdeskError as error:
                    # The day stays open, and is charged with the next look.
                    log.warning("margin.not_charged", account=account_id, code=error.code)
                    return
            # What was charged is known by its keys: a crash before this charges nothing twice.
            async with self._leadership.write() as session:
                (await session.get_one(DeskMeta, CHARGED)).value = day.isoformat()
            self._charged = day

    async def _noted(self, today: date) -> date:
        """Return up to which day was charged; a new desk has nothing to charge for."""
        async with self._database.read() as session:
            noted = await session.get(DeskMeta, CHARGED)
        if noted is not None:
            return date.fromisoformat(noted.value)
        yesterday = today - timedelta(days=1)
        async with self._leadership.write() as session:
            session.add(DeskMeta(key=CHARGED, value=yesterday.isoformat()))
        return yesterday

    async def _call(self) -> None:
        for account_id in await self._short():
            if not self._must_be_called(await self._ledger.account(account_id)):
                continue
            try:
                booked = await self._ledger.submit(CallMargin(account_id, self._venue))
            except PaperdeskError as error:
                # The next price finds it again.
                log.warning("margin.not_called", account=account_id, code=error.code)
                continue
            if booked.result:
                log.info("margin.called", account=account_id, trades=len(booked.result))

    def _must_be_called(self, account: AccountView) -> bool:
        held = [(position.ticker, position.holding) for position in account.positions]
        board = self._venue.board
        requirement = requirement_of(account.cash_balance, held, account.rules, board)
        return requirement is not None and requirement.is_missed

    async def _short(self, *rules: ColumnElement[bool]) -> list[str]:
        """Return the accounts with such rules that sold something short."""
        query = (
            select(Position.user_id)
            .join(AccountRules, AccountRules.user_id == Position.user_id)
            .join(UserProfile, UserProfile.id == Position.user_id)
            .where(Position.quantity < 0, *rules)
            .distinct()
            .order_by(Position.user_id)
        )
        async with self._database.read() as session:
            return list(await session.scalars(query))

    def _midnight_after(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(0), self._zone)
