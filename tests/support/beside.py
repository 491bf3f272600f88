"""A real desk and the reference model side by side: everything is done to both, and compared."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from decimal import Decimal
from typing import Any

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy, Refused
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.cash import MoveCash, Moved
from paperdesk.ledger.lane.writer import Booked
from paperdesk.ledger.views import AccountView
from paperdesk.models import CashMovementKind
from paperdesk.orders.commands.place_order import Placed
from support.databases import START
from support.observed import (
    booked_entry,
    booked_under_their_keys,
    published_statement,
    stored_journal,
    stored_statements,
)
from support.reference import Booking, Command, Move, ReferenceDesk, Refusal
from support.trading import TradingDesk, assert_books_hold

Answer = Booked[Placed | Moved] | BaseException


class Beside:
    """The desk on a database, and the model; both know only the accounts opened here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clock = ManualClock(START)
        self.model = ReferenceDesk(START)
        self.desk = TradingDesk(Database(url), self._clock)
        self.steps = 0
        """How many commands the real desk was given."""
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

    async def send(
        self,
        commands: Sequence[Command],
        *,
        gone: Collection[int] = (),
        after: int = 1,
        restart: bool = False,
    ) -> None:
        """Send commands at once, as many tasks do, and hold each answer against the model's.

        The callers of those in `gone` are cancelled after that many turns of the event loop: each
        of their commands was booked or was not, and the model follows. `restart` stops the desk
        while the commands are on their way.
        """
        self.steps += len(commands)
        tasks = [
            asyncio.ensure_future(self.desk.ledger.submit(real_command(self.desk, command)))
            for command in commands
        ]
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
        booked = await booked_under_their_keys(self.desk.database, [commands[n] for n in gone])
        self._compare_answers(commands, answers, booked)
        if restart:
            self.model.restart()
        await self.compare_accounts()

    async def restart(self) -> None:
        """Stop the desk and start it anew on the same database."""
        await self.send([], restart=True)

    async def close(self) -> None:
        """Stop the desk and let go of the database."""
        await self.desk.ledger.close()
        await self.desk.database.close()

    async def compare_accounts(self) -> None:
        """Hold every account against the model: as published, and as stored."""
        accounts = self.model.accounts
        stored = await stored_statements(self.desk.database, accounts)
        for name, account in accounts.items():
            assert stored[name] == account.statement, name
            assert published_statement(await self.desk.ledger.account(name)) == account.statement

    async def compare_journals(self) -> None:
        """Hold every line of every account's journal against the model's, and prove the books."""
        for name, account in self.model.accounts.items():
            assert await stored_journal(self.desk.database, name) == account.journal
            await assert_books_hold(self.desk.database, name)

    def _compare_answers(
        self,
        commands: Sequence[Command],
        answers: Sequence[Answer],
        booked_for_nobody: AbstractSet[Command],
    ) -> None:
        shown: list[AccountView] = []
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, asyncio.CancelledError) and command in booked_for_nobody:
                assert isinstance(self.model.execute(command), Booking), f"booked: {command}"
                self.outcomes["booked for nobody"] += 1
            elif isinstance(answer, (asyncio.CancelledError, Busy)):
                # The caller left before the desk took it, or the desk was stopping: no trace.
                self.outcomes["given up"] += 1
            elif answered := self._compare_answer(command, answer):
                shown.append(answered.account)
        for view in shown:
            # As its batch left it, so perhaps with later ones of the same batch.
            account = self.model.accounts[view.id]
            assert published_statement(view) == account.statements[view.sequence - 1], view.id

    def _compare_answer(self, command: Command, answer: Answer) -> Booked[Placed | Moved] | None:
        expected = self.model.execute(command)
        if isinstance(answer, Refused):
            assert isinstance(expected, Refusal), f"{command} was refused: {answer}"
            assert answer.code in expected.codes, f"{command} was refused: {answer}"
            self.outcomes[answer.code] += 1
            return None
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(expected, Booking), f"{command} was booked, not refused: {expected}"
        assert booked_entry(answer.result) == expected.entry, command
        assert answer.result.replayed == expected.replayed
        assert answer.account.sequence >= expected.entry.sequence
        self.outcomes["replayed" if expected.replayed else expected.entry.kind] += 1
        return answer

    async def _wait_for_what_was_accepted(self) -> None:
        """Come back when the desk has answered what it was given before."""
        for account in self.model.accounts:
            order = self.desk.order("buy", "1", "NEVER.PRICED", account_id=account)
            await asyncio.gather(self.desk.ledger.submit(order), return_exceptions=True)


def real_command(desk: TradingDesk, command: Command) -> Any:
    """Return a command as the real desk takes it."""
    if isinstance(command, Move):
        return MoveCash(
            account_id=command.account,
            kind=CashMovementKind(command.kind),
            amount=command.amount,
            clock=desk.clock,
            key=command.key,
            note=command.note,
        )
    return desk.order(
        command.side,
        str(command.quantity),
        command.ticker,
        account_id=command.account,
        client_order_id=command.key,
        strategy=command.strategy,
        note=command.note,
    )
