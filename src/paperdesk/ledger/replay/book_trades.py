"""The command that books a stretch of a file: many trades of one account in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from paperdesk.audit.trail import Action, Line
from paperdesk.errors import IdempotencyMismatch, InvalidRequest, Refused
from paperdesk.ledger.fills import fill_of, parts_of
from paperdesk.ledger.lane import rows
from paperdesk.ledger.lane.account_book import AccountBook
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.past_fills import enter_past_fill
from paperdesk.ledger.replay.past_trades import BadRow, PastTrade

SOURCE = "replay"


@dataclass(slots=True)
class Outcome:
    """How many trades were booked, how many had been before, and which were refused."""

    booked: int = 0
    known: int = 0
    refused: list[BadRow] = field(default_factory=list[BadRow])


@dataclass(frozen=True, slots=True)
class BookTrades:
    """Book trades of one account in their order, at their own times.

    Those whose ids were booked before are left out. A trade that the books refuse changes nothing;
    with `to_first_refusal` nothing after it is booked.
    """

    account_id: str
    trades: Sequence[PastTrade]
    to_first_refusal: bool

    @property
    def key(self) -> None:
        """It has none: its trades are found by their ids."""

    def __call__(self, books: Books) -> Outcome:
        """Book them. Raises NotFound where there is no such account."""
        account = books.account(self.account_id)
        earlier = rows.trades_by_id(books.connection, [trade.id for trade in self.trades])
        outcome = Outcome()
        for trade in self.trades:
            says = (
                trade.account,
                trade.ticker,
                trade.side,
                trade.quantity,
                trade.price,
                trade.fee,
                trade.executed_at,
            )
            try:
                if trade.id in earlier:
                    _check_same(earlier[trade.id], says)
                    outcome.known += 1
                    continue
                _book(account, trade)
            except Refused as refusal:
                outcome.refused.append(BadRow(trade.line, None, str(refusal)))
                if self.to_first_refusal:
                    break
            else:
                earlier[trade.id] = says
                outcome.booked += 1
        if outcome.booked:
            books.note(self._line(outcome))
        return outcome

    def _line(self, outcome: Outcome) -> Line:
        """Return the one line that is written of all of them."""
        after = {
            "booked": outcome.booked,
            "refused": len(outcome.refused),
            "lines": [self.trades[0].line, self.trades[-1].line],
            "executed": [self.trades[0].moment, self.trades[-1].moment],
        }
        message = f"{outcome.booked} trades of a file were booked."
        return Line(Action.trades_replayed, message, self.account_id, self.account_id, None, after)


def _check_same(booked: tuple[object, ...], says: tuple[object, ...]) -> None:
    if booked != says:
        raise IdempotencyMismatch(
            "A trade with this id was booked before, and it was another one. Leave the row out, or "
            "give it an id of its own."
        )


def _book(account: AccountBook, trade: PastTrade) -> None:
    if len(parts_of(account, trade.ticker, trade.side, trade.quantity)) > 1:
        raise InvalidRequest(
            "quantity: this would close the position and open one the other way. Write it as two "
            "trades: one that closes it, and one of the rest."
        )
    fill = fill_of(
        account,
        trade.ticker,
        trade.side,
        trade.quantity,
        trade.price,
        trade.fee,
        trade.executed_at,
    )
    enter_past_fill(
        account,
        fill,
        trade.ticker,
        trade.side,
        trade.units,
        trade.fee,
        trade.executed_at,
        trade_id=trade.id,
        source=SOURCE,
        strategy=trade.strategy,
        moment=trade.moment,
    )
