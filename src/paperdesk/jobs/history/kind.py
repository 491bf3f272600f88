"""The kind `import_trades`: each row is something that happened on an account elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from paperdesk.audit.trail import Action, Line
from paperdesk.clock import Clock
from paperdesk.db.exact_json import read
from paperdesk.errors import Refused
from paperdesk.imports.model import Activity
from paperdesk.jobs.history.booking import Booking
from paperdesk.jobs.history.names import Names
from paperdesk.jobs.history.plain_trades import ALREADY, PlainTrade, PlainTrades, stored
from paperdesk.jobs.history.rows import activity_of, begun
from paperdesk.jobs.history.undoing import undo_effect
from paperdesk.jobs.kinds import AlreadyDone, BulkRow, Outcome
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Job, JobRow

NAME: Final = "import_trades"


class Stretch:
    """Rows that are booked together, and what the books of a batch know of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._books: Books | None = None
        self._is_noted = False
        self._names: Names

    def names(self, books: Books, job: Job) -> Names:
        """Return which names are free in these books."""
        if self._books is not books:
            # A batch that failed is run again, in books of its own.
            self._books, self._is_noted = books, False
            self._names = Names(books, job.user_id, self._keys)
        return self._names

    def note(self, books: Books, job: Job, number: int) -> None:
        """Note for the audit trail, once for all rows, that some of them were booked."""
        if not self._is_noted:
            self._is_noted = True
            message = f"Rows of {job.name} were booked, from row {number} on."
            after = {"job": job.id, "row": number, "rows": len(self._keys)}
            books.note(Line(Action.history_imported, message, job.user_id, job.id, None, after))


class ImportTrades:
    """What happened elsewhere. A row that stands in the books is skipped, whatever its file is."""

    name = NAME
    at_once = 500

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def check(self, data: Any, told: Any) -> Activity:
        """Return what a row says. Raises InvalidRequest."""
        return activity_of(data, told, self._clock)

    def is_ordered(self, rows: Sequence[Activity]) -> bool:  # noqa: ARG002 - history is a sequence
        """Say that each row goes by those before it."""
        return True

    async def prepare(self, rows: Sequence[Activity]) -> Stretch:
        """Return what is the same for all rows of a stretch."""
        return Stretch([row.key for row in rows])

    def book(
        self, books: Books, job: Job, row: JobRow, said: Activity, prepared: Stretch
    ) -> Outcome:
        """Book what happened, at its own time. Raises AlreadyDone where it stands in the books."""
        outcome = self._book(books, job, said, prepared.names(books, job))
        prepared.note(books, job, row.row_number)
        return outcome

    def book_all(
        self, books: Books, job: Job, rows: Sequence[BulkRow]
    ) -> Iterator[Outcome | Refused]:
        """Book rows in their order: plain trades as they are stored, every other like one alone."""
        said = [stored(row.data) or self._said(row, job) for row in rows]
        stretch = Stretch([each.key for each in said if not isinstance(each, Refused)])
        names = stretch.names(books, job)
        plain = PlainTrades(books.account(job.user_id), names, fund=_funds(job))
        for row, each in zip(rows, said, strict=True):
            outcome: Outcome | Refused | None = None
            try:
                if isinstance(each, PlainTrade):
                    outcome = plain.book(each)
                # What is unusual about a trade goes the long way, too.
                outcome = outcome or self._alone(books, job, row, each, names)
            except Refused as refusal:
                outcome = refusal
            else:
                stretch.note(books, job, row.number)
            yield outcome

    def undo(self, books: Books, job: Job, row: JobRow) -> None:
        """Take back what a row booked."""
        effect = cast("Mapping[str, Any]", row.effect)
        why = f"Row {row.row_number} of the job {job.id} was undone."
        undo_effect(books, job.user_id, effect["name"], effect, self._clock.now(), why)

    def _book(self, books: Books, job: Job, said: Activity, names: Names) -> Outcome:
        name = names.free(said.key)
        if name is None:
            raise AlreadyDone(ALREADY)
        account, now = books.account(job.user_id), self._clock.now()
        booking = Booking(books, account, begun(said), name, now, _funds(job))
        cost = booking.book()
        names.booked(said.key)
        effect = {"name": name, **booking.effect}
        return Outcome(cost, effect, warning=" ".join(booking.warnings) or None)

    def _alone(
        self,
        books: Books,
        job: Job,
        row: BulkRow,
        said: Activity | PlainTrade | Refused,
        names: Names,
    ) -> Outcome:
        """Book a row of any kind. Raises Refused."""
        if isinstance(said, PlainTrade):
            said = self._said(row, job)
        if isinstance(said, Refused):
            raise said
        with books.noting():
            return self._book(books, job, said, names)

    def _said(self, row: BulkRow, job: Job) -> Activity | Refused:
        try:
            return self.check(read(row.data), job.options)
        except Refused as refusal:
            return refusal


def _funds(job: Job) -> bool:
    return bool(cast("Mapping[str, Any]", job.options or {}).get("fund"))
