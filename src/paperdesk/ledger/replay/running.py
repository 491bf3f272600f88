"""Replays a file: stretch by stretch through the writer, each read while the last is booked."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import Final

from paperdesk.errors import Refused
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.replay.book_trades import BookTrades, Outcome
from paperdesk.ledger.replay.past_trades import BadRow, PastTrade
from paperdesk.ledger.replay.trade_file import Rejects, Row, TradeFile

STRETCH: Final = 4096
"""Rows that are booked in one transaction."""


@dataclass(slots=True)
class Summary:
    """What a replay did. `stopped` is the row that ended it, if one did."""

    booked: int = 0
    known: int = 0
    rejected: int = 0
    stopped: BadRow | None = None


Watch = Callable[[Summary], None]
"""Is told how far a replay is, after each commit."""


async def replay(
    ledger: Ledger, file: TradeFile, watch: Watch, rejects: Rejects | None = None
) -> Summary:
    """Book every row that was not booked before, in the order of the file.

    A row that cannot be booked ends it, after the rows before that one; with `rejects` it is
    written there, and the replay goes on. Raises Busy or UnknownOutcome where the database fails:
    replayed again, it goes on where it was.
    """
    summary = Summary()
    rows = file.rows()
    stretch = await asyncio.to_thread(_next, rows)
    while stretch and summary.stopped is None:
        booking = asyncio.create_task(_book(ledger, stretch, to_first_refusal=rejects is None))
        following = await asyncio.to_thread(_next, rows)
        outcome = await booking
        summary.booked += outcome.booked
        summary.known += outcome.known
        if rejects is not None:
            _reject(rejects, stretch, outcome.refused)
            summary.rejected += len(outcome.refused)
        elif outcome.refused:
            summary.stopped = outcome.refused[0]
        watch(summary)
        stretch = following
    return summary


def _next(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, STRETCH))


async def _book(ledger: Ledger, stretch: list[Row], *, to_first_refusal: bool) -> Outcome:
    """Book the trades of a stretch, and return what came of it with bad rows in their order."""
    total = Outcome()
    of_account: defaultdict[str, list[PastTrade]] = defaultdict(list)
    for row in stretch:
        if isinstance(row.trade, PastTrade):
            of_account[row.trade.account].append(row.trade)
        else:
            total.refused.append(row.trade)
            if to_first_refusal:
                break
    outcomes = await asyncio.gather(
        *(
            _book_of(ledger, BookTrades(account, trades, to_first_refusal))
            for account, trades in of_account.items()
        )
    )
    for outcome in outcomes:
        total.booked += outcome.booked
        total.known += outcome.known
        total.refused += outcome.refused
    total.refused.sort(key=attrgetter("line"))
    return total


async def _book_of(ledger: Ledger, command: BookTrades) -> Outcome:
    try:
        return (await ledger.submit(command)).result
    except Refused as refusal:
        # All of it at once: there is no such account.
        bad = [BadRow(trade.line, "account", str(refusal)) for trade in command.trades]
        return Outcome(refused=bad)


def _reject(rejects: Rejects, stretch: list[Row], refused: list[BadRow]) -> None:
    reasons = {bad.line: bad for bad in refused}
    for row in stretch:
        if bad := reasons.get(row.trade.line):
            rejects.write(row, sentence(bad))


def sentence(bad: BadRow) -> str:
    """Return what is wrong with a row."""
    return f"{bad.field}: {bad.reason}" if bad.field else bad.reason
