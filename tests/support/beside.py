"""A real desk and the reference model side by side: everything is done to both, and compared."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, Refused
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.views import AccountView
from paperdesk.ledger.writer import Booked
from paperdesk.models import CashMovement, Order, Position, Trade, UserProfile
from paperdesk.orders.market_order import Filled
from support.databases import START
from support.reference import Ask, Booking, Entry, ReferenceDesk, Refusal, Statement
from support.trading import TradingDesk, assert_books_hold

Answer = Booked[Filled] | BaseException


class Beside:
    """The desk on a database, and the model; both know only the accounts opened here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clock = ManualClock(START)
        self.model = ReferenceDesk(START)
        self.desk = TradingDesk(Database(url), self._clock)
        self.steps = 0
        """How many orders the real desk was given."""
        self.outcomes = Counter[str]()
        """What became of them."""

    async def open(self, account: str, balance: str) -> None:
        """Open an account on both."""
        async with self.desk.database.write() as session:
            await session.run_sync(
                open_account, account, Decimal(balance), self._clock.now(), account_id=account
            )
        self.model.open(account, Decimal(balance))

    def price(self, ticker: str, price: Decimal) -> None:
        """Give both a price."""
        self.desk.price(ticker, str(price))
        self.model.price(ticker, price)

    def move_clock(self, seconds: float) -> None:
        """Move both clocks, forward or back."""
        self._clock.advance(timedelta(seconds=seconds))
        self.model.now = self._clock.now()

    async def place(
        self,
        asks: Sequence[Ask],
        *,
        gone: Collection[int] = (),
        after: int = 1,
        restart: bool = False,
    ) -> None:
        """Place orders at once, as many tasks do, and hold each answer against the model's.

        The callers of those in `gone` are cancelled after that many turns of the event loop: each
        of their orders was booked or was not, and the model follows. `restart` stops the desk
        while the orders are on their way.
        """
        self.steps += len(asks)
        tasks = [asyncio.ensure_future(self.desk.ledger.submit(self._real(ask))) for ask in asks]
        for _ in range(after):
            await asyncio.sleep(0)
        for n in gone:
            tasks[n].cancel()
        if restart:
            await self.desk.ledger.close()
        answers: list[Answer] = await asyncio.gather(*tasks, return_exceptions=True)
        assert restart or not any(isinstance(answer, Busy) for answer in answers)
        if restart:
            await self.desk.database.close()
            self.desk = TradingDesk(Database(self._url), self._clock)
        elif gone:
            await self._wait_for_what_was_accepted()
        await self._compare_answers(asks, answers, await self._booked([asks[n] for n in gone]))
        if restart:
            self.model.restart()
        await self.compare_accounts()

    async def restart(self) -> None:
        """Stop the desk and start it anew on the same database."""
        await self.place([], restart=True)

    async def close(self) -> None:
        """Stop the desk and let go of the database."""
        await self.desk.ledger.close()
        await self.desk.database.close()

    async def compare_accounts(self) -> None:
        """Hold every account against the model: as published, and as stored."""
        accounts = self.model.accounts
        stored = await stored_statements(self.desk.database, accounts)
        for name, account in accounts.items():
            assert stored[name] == account.statement
            assert published_statement(await self.desk.ledger.account(name)) == account.statement

    async def compare_journals(self) -> None:
        """Hold every line of every account's journal against the model's, and prove the books."""
        for name, account in self.model.accounts.items():
            assert await stored_journal(self.desk.database, name) == account.journal
            await assert_books_hold(self.desk.database, name)

    def _real(self, ask: Ask) -> Any:
        return self.desk.order(
            ask.side,
            str(ask.quantity),
            ask.ticker,
            account_id=ask.account,
            client_order_id=ask.key,
            strategy=ask.strategy,
            note=ask.note,
        )

    async def _compare_answers(
        self, asks: Sequence[Ask], answers: Sequence[Answer], booked_for_nobody: AbstractSet[Ask]
    ) -> None:
        shown: list[AccountView] = []
        for ask, answer in zip(asks, answers, strict=True):
            if isinstance(answer, asyncio.CancelledError) and ask in booked_for_nobody:
                assert isinstance(self.model.execute(ask), Booking), f"booked: {ask}"
                self.outcomes["booked for nobody"] += 1
            elif isinstance(answer, (asyncio.CancelledError, Busy)):
                # The caller left before the desk took it, or the desk was stopping: no trace.
                self.outcomes["given up"] += 1
            elif answered := self._compare_answer(ask, answer):
                shown.append(answered.account)
        for view in shown:
            # As its batch left it, so perhaps with later orders of the same batch.
            account = self.model.accounts[view.id]
            assert published_statement(view) == account.statements[view.sequence - 1]

    def _compare_answer(self, ask: Ask, answer: Answer) -> Booked[Filled] | None:
        expected = self.model.execute(ask)
        if isinstance(answer, Refused):
            assert isinstance(expected, Refusal), f"{ask} was refused: {answer}"
            assert answer.code in expected.codes, f"{ask} was refused: {answer}"
            self.outcomes[answer.code] += 1
            return None
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(expected, Booking), f"{ask} was booked, not refused: {expected}"
        trade = answer.result.trade
        assert (trade_entry(trade), answer.result.replayed) == (expected.entry, expected.replayed)
        assert answer.account.sequence >= trade.sequence
        self.outcomes["replayed" if expected.replayed else expected.entry.kind] += 1
        return answer

    async def _wait_for_what_was_accepted(self) -> None:
        """Come back when the desk has answered what it was given before."""
        for account in self.model.accounts:
            order = self.desk.order("buy", "1", "NEVER.PRICED", account_id=account)
            await asyncio.gather(self.desk.ledger.submit(order), return_exceptions=True)

    async def _booked(self, asks: Sequence[Ask]) -> AbstractSet[Ask]:
        """Return those whose key is in the books; each has a key of its own."""
        if not asks:
            return frozenset()
        query = select(Order.user_id, Order.client_order_id).where(
            Order.client_order_id.in_([ask.key for ask in asks])
        )
        async with self.desk.database.read() as session:
            booked = {(account, key) for account, key in await session.execute(query)}
        return {ask for ask in asks if (ask.account, ask.key) in booked}


def trade_entry(trade: Trade) -> Entry:
    """Return a trade as the model writes it down."""
    assert trade.fee == 0
    return Entry(
        sequence=trade.sequence,
        kind=str(trade.side),
        value=Fraction(trade.value),
        at=trade.executed_at,
        ticker=trade.ticker,
        quantity=Fraction(trade.quantity),
        price=Fraction(trade.price),
        realized=Fraction(trade.realized_pnl),
    )


def published_statement(view: AccountView) -> Statement:
    """Return an account as the writer shows it, as the model writes it down."""
    return Statement(
        view.sequence,
        Fraction(view.cash_balance),
        Fraction(view.realized_pnl),
        tuple(
            (p.ticker, Fraction(p.quantity), Fraction(p.cost_basis), Fraction(p.avg_cost))
            for p in view.positions
        ),
    )


async def stored_journal(database: Database, account: str) -> list[Entry]:
    """Return an account's journal from its rows, in order."""
    async with database.read() as session:
        trades = await session.scalars(select(Trade).where(Trade.user_id == account))
        entries = [trade_entry(trade) for trade in trades]
        movements = await session.scalars(
            select(CashMovement).where(CashMovement.user_id == account)
        )
        entries += [
            Entry(m.sequence, str(m.kind), Fraction(m.amount), m.effective_at) for m in movements
        ]
    return sorted(entries, key=lambda entry: entry.sequence)


async def stored_statements(database: Database, accounts: Collection[str]) -> dict[str, Statement]:
    """Return what the rows of accounts and positions say."""
    columns = (Position.ticker, Position.quantity, Position.cost_basis, Position.avg_cost)
    async with database.read() as session:
        held: dict[str, list[tuple[str, Fraction, Fraction, Fraction]]] = {a: [] for a in accounts}
        for account, ticker, *amounts in await session.execute(
            select(Position.user_id, *columns).where(Position.user_id.in_(accounts))
        ):
            quantity, cost, average = map(Fraction, amounts)
            held[account].append((ticker, quantity, cost, average))
        rows = await session.scalars(select(UserProfile).where(UserProfile.id.in_(accounts)))
        return {
            row.id: Statement(
                row.head_sequence,
                Fraction(row.cash_balance),
                Fraction(row.realized_pnl),
                tuple(sorted(held[row.id])),
            )
            for row in rows
        }
