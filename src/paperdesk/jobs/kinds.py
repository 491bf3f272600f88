"""What a kind of job is: one small object that says what its rows mean.

The life of a job, its queue, its leases, its counters and its routes are the same for all kinds. A
kind whose rows are booked is a `BookedKind`; what works outside the ledger is a `TaskKind`. The
desk composes a `Kinds` of those that there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from paperdesk.errors import InvalidRequest, Refused
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Job, JobRow


class Outcome(NamedTuple):
    """What came of a row that was booked.

    `cost` is the cash that left the account, in US dollars, less than 0 where more came in.
    `effect` says in plain values what was booked, for `BookedKind.undo`; never None. `set_aside` is
    what may leave it later, for an order that rests.
    """

    cost: Decimal
    effect: Any
    order_id: str | None = None
    warning: str | None = None
    set_aside: Decimal = Decimal(0)


class NothingToDo(Refused):
    """There is nothing that a row would change: it is skipped, and spoils no other."""

    code = "NO_EFFECT"
    title = "It changes nothing"
    status = 409


class AlreadyDone(NothingToDo):
    """What a row asks for is there already."""

    code = "ALREADY_DONE"
    title = "It is done already"
    status = 409


FEW: Final = 64
"""Rows at once of a kind whose rows take some time each."""


@runtime_checkable
class BookedKind(Protocol):
    """A kind whose rows are booked on the account of the job, each row whole or not at all."""

    @property
    def name(self) -> str:
        """What requests call it."""
        ...

    @property
    def at_once(self) -> int:
        """How many rows are claimed and booked together; other commands wait meanwhile."""
        ...

    def check(self, data: Any, told: Any) -> Any:
        """Return what a row says, typed. Raises Refused, with the field and what is wrong of it.

        `told` are the job's options. Called outside of every transaction, perhaps in a thread.
        """
        ...

    def is_ordered(self, rows: Sequence[Any]) -> bool:
        """Say whether rows, as `check` returned them, must be booked one after the other."""
        ...

    async def prepare(self, rows: Sequence[Any]) -> Any:
        """Do what rows need beforehand, such as waiting for prices, outside of every transaction.

        What it returns `book` is given.
        """
        ...

    def book(self, books: Books, job: Job, row: JobRow, said: Any, prepared: Any) -> Outcome:
        """Book a row, of which `check` returned `said`, under its `idempotency_key`.

        Raises Refused, and has changed nothing then: the row fails alone. Raises NothingToDo where
        it would change nothing, AlreadyDone where it is booked already.
        """
        ...

    def undo(self, books: Books, job: Job, row: JobRow) -> None:
        """Take back what a row booked, by its `effect`, so that cash is as if it never was.

        Raises Refused, and has changed nothing then: a person must look at the row.
        """
        ...


class BulkRow(NamedTuple):
    """A row as it is stored: its data are the text of a JSON value; `cost_cents` an estimate.

    It was checked when it was stored, and is tried for the first time.
    """

    id: str
    number: int
    data: str
    cost_cents: int


@runtime_checkable
class BulkKind(BookedKind, Protocol):
    """A kind whose rows are many and small: a thousand of them are booked as they are stored."""

    def book_all(
        self, books: Books, job: Job, rows: Sequence[BulkRow]
    ) -> Iterable[Outcome | Refused]:
        """Book rows in their order, as `check` and `book` would one by one.

        Gives what came of each, one after the other; a row that is refused has changed nothing.
        """
        ...


@runtime_checkable
class SpokenKind(BookedKind, Protocol):
    """A kind whose rows may be given by a command in words."""

    async def spoken(self, account_id: str, command: str) -> list[Any]:
        """Return the rows that a command means now. Raises InvalidRequest for one that is unclear.

        Raises PriceUnavailable where it takes prices that there are not.
        """
        ...


@runtime_checkable
class FiledKind(BookedKind, Protocol):
    """A kind whose rows may be given as a file."""

    def filed(self, content: bytes) -> list[Any]:
        """Return the rows of a file, as they would be sent. Raises InvalidRequest."""
        ...


class NoLongerMine(Exception):
    """A task must stop: its job was stopped, or another worker has it now."""


class Tell(Protocol):
    """Notes how far a task is within its row."""

    async def __call__(self, done: int | None = None, total: int | None = None) -> None:
        """Note it. Raises NoLongerMine where the task must stop."""
        ...


@runtime_checkable
class TaskKind(Protocol):
    """A kind that works outside the ledger. Begun anew after it broke off, it must do no harm."""

    @property
    def name(self) -> str:
        """What requests call it."""
        ...

    @property
    def whole_desk(self) -> bool:
        """Whether it is about more than one account: then it is for who may do that."""
        ...

    async def run(self, job: Job, said: Any, tell: Tell) -> dict[str, Any]:
        """Do a row, and return what came of it. Raises Refused where it cannot be done.

        `said` is what `GivenTask.check` returned; None of a kind that is told nothing.
        """
        ...


@runtime_checkable
class GivenTask(TaskKind, Protocol):
    """A task that is told what to do: each row is one, done after the one before it."""

    @property
    def most_rows(self) -> int:
        """How many rows a job of it may have."""
        ...

    def check(self, data: Any, told: Any) -> Any:
        """Return what a row says, typed. Raises Refused, with the field and what is wrong of it.

        `told` are the job's options.
        """
        ...


Kind = BookedKind | TaskKind


class Kinds:
    """The kinds of job that a desk knows."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}

    def named(self, name: str) -> Kind:
        """Return a kind. Raises InvalidRequest, naming those there are, if there is no such."""
        kind = self._kinds.get(name)
        if kind is None:
            raise InvalidRequest(f"kind: must be one of {', '.join(self._kinds)}.")
        return kind

    def booked(self, name: str) -> BookedKind:
        """Return a kind whose rows are booked. Raises InvalidRequest where it is none."""
        kind = self.named(name)
        if not isinstance(kind, BookedKind):
            raise InvalidRequest(
                f"The rows of a job of the kind {name} stay as they are. Make another."
            )
        return kind
