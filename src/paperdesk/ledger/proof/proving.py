"""The proof of a desk's books: every account's journal is replayed and compared with its books.

For each account it names the first entry that is wrong; where the journal is sound it names what
the books say otherwise. It reads one snapshot in bounded memory, and changes nothing. Blocking:
call it in a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, exists, func, select, type_coerce
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from paperdesk.db.engine import take_any_text
from paperdesk.ledger.journal import FIELDS, FIRST_HASH
from paperdesk.ledger.proof import entries, marks
from paperdesk.ledger.proof.amounts import Wrong, money, number
from paperdesk.ledger.proof.entries import JOURNAL, WINDOW, Raw, table_of
from paperdesk.ledger.proof.lots import NOTHING, Holding, average_cost
from paperdesk.ledger.proof.orders import OrderBook, filled_without_trades, wrongly_set_aside
from paperdesk.ledger.proof.replay import Account, Adjustment, Point, Trade
from paperdesk.models import (
    CashMovement,
    Order,
    PortfolioSnapshot,
    Position,
    PositionAdjustment,
    PositionLot,
    UserProfile,
)
from paperdesk.models import Trade as TradeRow

_BREATH: Final = 64
"""Entries between two calls of `watch`."""
_LONGEST_LOOK: Final = 50_000
"""Entries of an account that a quick look replays; with more it leaves them to the whole proof."""
_KIND: Final = FIELDS[CashMovement].index("kind")
_AMOUNT: Final = FIELDS[CashMovement].index("amount")
_ADJUSTED: Final = FIELDS[PositionAdjustment].index("kind")
_KEY: Final = FIELDS[PositionAdjustment].index("key")
_PLACE: Final = FIELDS[PositionAdjustment].index("sequence")
_TICKER: Final = FIELDS[TradeRow].index("ticker")
_SOURCE: Final = FIELDS[TradeRow].index("source")
_EXECUTED_AT: Final = FIELDS[TradeRow].index("executed_at")
_SEQUENCE: Final = FIELDS[TradeRow].index("sequence")
_EFFECTIVE_AT: Final = FIELDS[PositionAdjustment].index("effective_at")
_OWNED: Final = (*JOURNAL, Order, Position, PositionLot, PortfolioSnapshot)


class Problem(NamedTuple):
    """What is wrong: the account, its first wrong entry if one is, and a sentence for a person."""

    account: str | None
    sequence: int | None
    what: str


@dataclass(slots=True)
class Checked:
    """What a proof looked at."""

    accounts: int = 0
    trades: int = 0
    cash_movements: int = 0
    position_adjustments: int = 0

    def add(self, table: str) -> None:
        """Count an entry of a table of the journal."""
        setattr(self, table, getattr(self, table) + 1)


@dataclass(slots=True)
class Verdict:
    """The outcome of a proof.

    `problems` are all that is wrong, `fresh` those that no operator has accepted. `points` are the
    heads of the accounts without fresh problems: from there the next quick look may go on.
    """

    checked: Checked = field(default_factory=Checked)
    problems: list[Problem] = field(default_factory=list[Problem])
    fresh: list[Problem] = field(default_factory=list[Problem])
    points: dict[str, Point] = field(default_factory=dict[str, Point])


Watch = Callable[[int], None]
"""Is told now and then how many more entries were checked; what it raises ends the proof."""

START: Final = Point(0, FIRST_HASH, Account())


def prove(session: Session, watch: Watch = lambda _: None) -> Verdict:
    """Prove everything from the first entry on."""
    return _proof(session, watch, quick=False)


def look(session: Session, watch: Watch = lambda _: None) -> Verdict:
    """Check every account's head and balances, and its entries since it was last proven.

    An account that fails is proven from the start: the mark may be what is wrong.
    """
    return _proof(session, watch, quick=True)


def _proof(session: Session, watch: Watch, *, quick: bool) -> Verdict:
    try:
        return _Proof(session, watch).of_everything(quick=quick)
    except OperationalError as error:
        if "decode" not in str(error.orig):
            raise
        # Text in SQLite that is no UTF-8. It shall be found in its row, which reading it so slows.
        take_any_text(session.connection().connection.dbapi_connection)
        return _Proof(session, watch).of_everything(quick=quick)


class _Proof:
    def __init__(self, session: Session, watch: Watch) -> None:
        self._session = session
        self._watch = watch
        self._verdict = Verdict()

    def of_everything(self, *, quick: bool) -> Verdict:
        verdict = self._verdict
        profiles = table_of(UserProfile).c
        accepted = self._accepted()
        if not quick:
            verdict.problems += self._of_nobody()
        for account_id in self._session.scalars(select(profiles.id).order_by(profiles.id)).all():
            verdict.checked.accounts += 1
            try:
                problems = self._quickly(account_id) if quick else self._wholly(account_id)
            except (TypeError, ValueError) as error:
                problems = [Problem(account_id, None, f"A value cannot be read: {error}.")]
            verdict.problems += problems
            if problems and not accepted.issuperset(problems):
                verdict.points.pop(account_id, None)
        verdict.fresh = [problem for problem in verdict.problems if problem not in accepted]
        return verdict

    def _accepted(self) -> set[Problem]:
        try:
            return {Problem(*each) for each in marks.accepted_problems(self._session)}
        except ValueError as error:
            what = f"What was accepted cannot be read, and counts as not accepted: {error}."
            self._verdict.problems.append(Problem(None, None, what))
            return set()

    def _of_nobody(self) -> list[Problem]:
        """Return the rows that belong to no account, one for each table and owner."""
        found: list[Problem] = []
        profiles = table_of(UserProfile).c
        for model in _OWNED:
            table = table_of(model)
            lowest: Any = func.min(table.c.sequence) if model in JOURNAL else None
            query = (
                select(table.c.user_id, lowest, func.count())
                .where(~exists().where(profiles.id == table.c.user_id))
                .group_by(table.c.user_id)
                .order_by(table.c.user_id)
            )
            for owner, sequence, count in self._session.execute(query):
                what = f"{count} row(s) in {table.name} belong to no account."
                found.append(Problem(owner, sequence, what))
        return found

    def _wholly(self, account_id: str) -> list[Problem]:
        """Prove an account in stretches: to each state that an operator accepted, then to now."""
        problems: list[Problem] = []
        point = START
        accepted, unreadable = marks.accepted(self._session, account_id)
        if unreadable:
            what = f"{unreadable} of its accepted states cannot be read, and count as not accepted."
            problems.append(Problem(account_id, None, what))
        # One book of orders for all stretches: the fills of an order may lie in several.
        orders = OrderBook(self._session, account_id, whole=not accepted)
        for end in accepted:
            stretch = self._stretch(account_id, point, end, orders)
            problems += stretch.prove(self._watch)
            point = end
        problems += self._to_now(account_id, point, orders)
        if problems:
            # With a trade that is wrong or gone, its order has none: that is no news.
            return problems
        claims = (
            filled_without_trades(self._session, account_id),
            wrongly_set_aside(self._session, account_id),
        )
        return [Problem(account_id, None, claim) for claim in claims if claim]

    def _quickly(self, account_id: str) -> list[Problem]:
        mark = marks.newest(self._session, account_id) or START
        profiles = table_of(UserProfile).c
        head: int = self._session.execute(
            select(profiles.head_sequence).where(profiles.id == account_id)
        ).scalar_one()
        if head - mark.sequence > _LONGEST_LOOK:
            return self._at_the_head(account_id)
        orders = OrderBook(self._session, account_id, whole=mark is START)
        problems = self._to_now(account_id, mark, orders)
        if self._verdict.points[account_id].sequence == mark.sequence:
            # The mark need not be moved. A whole proof below puts the point back.
            del self._verdict.points[account_id]
        return self._wholly(account_id) if problems else []

    def _to_now(self, account_id: str, start: Point, orders: OrderBook) -> list[Problem]:
        now = marks.current(self._session, account_id)
        self._verdict.points[account_id] = now
        return self._stretch(account_id, start, now, orders).prove(self._watch, is_last=True)

    def _stretch(self, account_id: str, start: Point, end: Point, orders: OrderBook) -> "_Stretch":
        return _Stretch(self._session, account_id, start, end, orders, self._verdict.checked)

    def _at_the_head(self, account_id: str) -> list[Problem]:
        """Compare the account's head with its newest entry alone."""
        now = marks.current(self._session, account_id)
        found = entries.window(self._session, account_id, now.sequence - 1, now.sequence)
        newest = found.get(now.sequence)
        if newest is None or newest.hash != now.hash:
            return [Problem(account_id, now.sequence, _WRONG_HEAD)]
        return []


_WRONG_HEAD: Final = "The newest entry that the account names is not that of the journal."


class _Stretch:
    """A part of an account's journal, between two states of its books."""

    def __init__(
        self,
        session: Session,
        account_id: str,
        start: Point,
        end: Point,
        orders: OrderBook,
        checked: Checked,
    ) -> None:
        self._session = session
        self._id = account_id
        self._start = start
        self._end = end
        self._checked = checked
        self._orders = orders
        self._problem: Problem | None = None

    def prove(self, watch: Watch, *, is_last: bool = False) -> list[Problem]:
        """Replay the stretch and compare where it leads; `is_last` when nothing may follow it."""
        state = self._start.account.copy()
        head = self._replay(state, watch)
        if head is None:
            return self._found()
        if is_last and (unfinished := self._orders.unfinished()):
            self._note(*unfinished)
        self._count(is_last=is_last)
        if head != self._end.hash:
            self._note(self._end.sequence, _WRONG_HEAD)
        return [*self._found(), *self._compared(state, is_last=is_last)]

    def _found(self) -> list[Problem]:
        return [self._problem] if self._problem else []

    def _note(self, sequence: int | None, what: str) -> None:
        if self._problem is None or (sequence or 0) < (self._problem.sequence or 0):
            self._problem = Problem(self._id, sequence, what)

    def _replay(self, state: Account, watch: Watch) -> str | None:
        """Replay the entries; return the last hash, None where one is so wrong that it ends."""
        head = self._start.hash
        for after in range(self._start.sequence, self._end.sequence, WINDOW):
            until = min(after + WINDOW, self._end.sequence)
            found = entries.window(self._session, self._id, after, until)
            for sequence in range(after + 1, until + 1):
                try:
                    entry = _one(found, sequence)
                    head = _follow(state, head, entry)
                except Wrong as wrong:
                    self._note(sequence, str(wrong))
                    return None
                except TypeError:
                    self._note(sequence, "It has a value of the wrong kind.")
                    return None
                self._checked.add(entry.table.__tablename__)
                if entry.table is TradeRow:
                    self._check_order(sequence, entry)
                if not sequence % _BREATH:
                    watch(_BREATH)
        return head

    def _check_order(self, sequence: int, entry: Raw) -> None:
        try:
            self._orders.check(entry.values, entry.order)
        except Wrong as wrong:
            self._note(sequence, str(wrong))
        except TypeError:
            self._note(sequence, "Its order has a value of the wrong kind.")

    def _count(self, *, is_last: bool) -> None:
        after, until = self._start.sequence, self._end.sequence
        total, largest = entries.count(self._session, self._id, after, None if is_last else until)
        if total != until - after:
            surplus = total - (until - after)
            beyond = largest if isinstance(largest, int) and largest > until else None
            self._note(beyond, f"The journal has {surplus} more entries than the account counts.")

    def _compared(self, state: Account, *, is_last: bool) -> list[Problem]:
        """Compare the books with where the journal leads."""
        said, true = self._end.account, state
        wrong: list[str] = []
        if said.cash != true.cash:
            wrong.append(f"Cash is {money(said.cash)}, but the journal says {money(true.cash)}.")
        if said.realized != true.realized:
            wrong.append(
                f"The realised result is {money(said.realized)}, but the journal says "
                f"{money(true.realized)}."
            )
        for ticker in sorted(said.holdings.keys() | true.holdings.keys()):
            a, b = said.holdings.get(ticker), true.holdings.get(ticker, NOTHING)
            if a != b and not (a is None and b == NOTHING):
                wrong.append(
                    f"{_holding(a)} of {ticker} in the positions, but the journal says "
                    f"{_holding(b)}."
                )
            elif (since := said.opened.get(ticker)) != (truly := true.opened.get(ticker)):
                wrong.append(
                    f"{ticker} is held since {since} in the positions, but the journal says "
                    f"{truly}."
                )
        if is_last:
            wrong += self._averages()
        return [Problem(self._id, None, what) for what in wrong]

    def _averages(self) -> list[str]:
        positions = table_of(Position).c
        rows = self._session.execute(
            select(
                positions.ticker,
                type_coerce(positions.quantity, BigInteger),
                type_coerce(positions.cost_basis, BigInteger),
                type_coerce(positions.avg_cost, BigInteger),
            )
            .where(positions.user_id == self._id)
            .order_by(positions.ticker)
        )
        return [
            f"The average cost of {ticker} is {number(average)}, but cost over quantity is "
            f"{number(average_cost(Holding(quantity, cost)))}."
            for ticker, quantity, cost, average in rows
            if quantity and average != average_cost(Holding(quantity, cost))
        ]


def _one(found: dict[Any, Raw | None], sequence: int) -> Raw:
    if sequence not in found:
        raise Wrong("There is no such entry, and the journal may have no gaps.")
    entry = found[sequence]
    if entry is None:
        raise Wrong("There are two entries with this number.")
    return entry


def _follow(state: Account, head: str, entry: Raw) -> str:
    """Check an entry's hash, book it, and return the hash. Raises Wrong or TypeError."""
    values = entry.values
    head = entries.chained(head, entry)
    if entry.hash != head:
        raise Wrong("Its hash is not that of its content after the entry before.")
    if entry.table is TradeRow:
        said = (*values[_TICKER:_SOURCE], *values[len(FIELDS[TradeRow]) :])
        state.trade(Trade(*said), values[_EXECUTED_AT], values[_SEQUENCE])
    elif entry.table is CashMovement:
        state.move(values[_KIND], values[_AMOUNT])
    else:
        state.adjust(
            Adjustment(*values[_ADJUSTED:_KEY], *values[len(FIELDS[PositionAdjustment]) :]),
            values[_EFFECTIVE_AT],
            values[_PLACE],
        )
    return head


def _holding(holding: Holding | None) -> str:
    if not holding or holding == NOTHING:
        return "nothing"
    parts = "" if holding.lots is None else f" in the lots {[tuple(lot) for lot in holding.lots]}"
    return f"{number(holding.quantity)} for {money(holding.cost)}{parts}"
