"""The kind `import_trades`: each row is something that happened on an account elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from paperdesk.audit.trail import Action, Line
from paperdesk.clock import Clock
from paperdesk.imports.model import Activity
from paperdesk.jobs.history.booking import Booking
from paperdesk.jobs.history.names import Names
from paperdesk.jobs.history.rows import activity_of, begun
from paperdesk.jobs.history.undoing import undo_effect
from paperdesk.jobs.kinds import AlreadyDone, Outcome
from paperdesk.ledger.lane.books import Books
from paperdesk.models import Job, JobRow

NAME: Final = "import_trades"


class Stretch:
    """Rows that are booked together, and what the books of a batch know of them."""

    def __init__(self, rows: Sequence[Activity]) -> None:
        self._keys = [row.key for row in rows]
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

    def note(self, books: Books, job: Job, row: JobRow) -> None:
        """Note for the audit trail, once for all rows, that some of them were booked."""
        if not self._is_noted:
            self._is_noted = True
            message = f"Rows of {job.name} were booked, from row {row.row_number} on."
            after = {"job": job.id, "row": row.row_number, "rows": len(self._keys)}
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
        return Stretch(rows)

    def book(
        self, books: Books, job: Job, row: JobRow, said: Activity, prepared: Stretch
    ) -> Outcome:
        """Book what happened, at its own time. Raises AlreadyDone where it stands in the books."""
        names = prepared.names(books, job)
        name = names.free(said.key)
        if name is None:
            raise AlreadyDone("The same row was imported before: it stands in the books.")
        activity, account = begun(said), books.account(job.user_id)
        fund = bool(cast("Mapping[str, Any]", job.options or {}).get("fund"))
        booking = Booking(books, account, activity, name, self._clock.now(), fund)
        cost = booking.book()
        names.booked(said.key)
        prepared.note(books, job, row)
        effect = {"name": name, **booking.effect}
        return Outcome(cost, effect, warning=" ".join(booking.warnings) or None)

    def undo(self, books: Books, job: Job, row: JobRow) -> None:
        """Take back what a row booked."""
        effect = cast("Mapping[str, Any]", row.effect)
        why = f"Row {row.row_number} of the job {job.id} was undone."
        undo_effect(books, job.user_id, effect["name"], effect, self._clock.now(), why)
