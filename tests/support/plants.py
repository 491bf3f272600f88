"""Bugs to plant in a desk, each of which the tests of this folder must find.

`PLANTED` names one for a desk that `support.sabotage` starts.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from paperdesk.db import engine
from paperdesk.ledger import lanes
from paperdesk.ledger.views import AccountView
from paperdesk.ledger.waiting import Pending
from paperdesk.ledger.writer import Ledger


def _answer_before_commit() -> None:
    book = Ledger._book

    def book_and_answer(
        self: Ledger, connection: Connection, batch: Sequence[Pending]
    ) -> list[AccountView]:
        views = book(self, connection, batch)
        lanes._answer_in_their_loops(batch)
        # The answers are on their way while COMMIT is still to come.
        time.sleep(0.02)
        return views

    Ledger._book = book_and_answer


def _synchronous_off() -> None:
    engine.WRITER_PRAGMAS["synchronous"] = "OFF"


PLANTS: Final[dict[str, Callable[[], None]]] = {
    "answer-before-commit": _answer_before_commit,
    "synchronous-off": _synchronous_off,
}
