"""Bugs to plant in a desk, each of which the tests of this folder must find.

`PLANTED` names one for a desk that `support.sabotage` starts.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, event, select

from paperdesk.db import engine
from paperdesk.ledger.lane import lanes
from paperdesk.ledger.lane.books import Batch, Books
from paperdesk.ledger.lane.waiting import Command, Pending
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.models import Order


def _answer_before_commit() -> None:
    book = Ledger._book

    def book_and_answer(self: Ledger, connection: Connection, batch: Sequence[Pending]) -> Batch:
        changed = book(self, connection, batch)
        lanes._answer_in_their_loops(batch)
        # The answers are on their way while COMMIT is still to come.
        time.sleep(0.02)
        return changed

    Ledger._book = book_and_answer


def _synchronous_off() -> None:
    engine.WRITER_PRAGMAS["synchronous"] = "OFF"


def _deferred_begin() -> None:
    _rewrite("BEGIN IMMEDIATE", "BEGIN")


def _no_row_lock() -> None:
    _rewrite(" FOR UPDATE", "")


def _check_then_insert() -> None:
    """Look for the key before, in a transaction of its own. The unique constraint must be gone."""
    submit = Ledger.submit
    checked: dict[tuple[str, str], Order | None] = {}

    async def check_and_submit(self: Ledger, command: Command[Any]) -> Any:
        if key := command.key:
            async with self._database.read() as session:
                checked[command.account_id, key] = await session.scalar(
                    select(Order).where(
                        Order.user_id == command.account_id, Order.client_order_id == key
                    )
                )
        return await submit(self, command)

    def order_as_checked(self: Books, account_id: str, client_order_id: str) -> Order | None:  # noqa: ARG001
        return checked[account_id, client_order_id]

    Ledger.submit = check_and_submit
    Books.order_under = order_as_checked


def _rewrite(old: str, new: str) -> None:
    def rewritten(
        _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> tuple[str, Any]:
        return statement.replace(old, new), parameters

    event.listen(Engine, "before_cursor_execute", rewritten, retval=True)


PLANTS: Final[dict[str, Callable[[], None]]] = {
    "answer-before-commit": _answer_before_commit,
    "synchronous-off": _synchronous_off,
    "deferred-begin": _deferred_begin,
    "no-row-lock": _no_row_lock,
    "check-then-insert": _check_then_insert,
}
