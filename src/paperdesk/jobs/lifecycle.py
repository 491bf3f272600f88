"""The life of a job and of its rows: what may follow what. Every change of a status asks here.

Pure. Both tables are all there is: what they do not name is forbidden.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from paperdesk.errors import InvalidState
from paperdesk.models import JobStatus, RowStatus


class JobEvent(StrEnum):
    """What happens to a job: asked for by a person, or the end that the worker comes to."""

    start = "start"
    pause = "pause"
    resume = "resume"
    cancel = "cancel"
    retry = "retry"
    undo = "undo"
    finish = "finish"
    fail = "fail"
    undone = "undone"


class RowEvent(StrEnum):
    """What happens to a row."""

    claim = "claim"
    """A worker takes it."""
    release = "release"
    """It is put back: what it was claimed for did not happen."""
    complete = "complete"
    refuse = "refuse"
    """It cannot be done: its data are wrong, or the books refuse it."""
    skip = "skip"
    review = "review"
    """A person must look at it."""
    edit = "edit"
    retry = "retry"
    claim_undo = "claim_undo"
    release_undo = "release_undo"
    """It is put back: what it booked still stands."""
    undo = "undo"


JOB_TRANSITIONS: Final[Mapping[tuple[JobStatus, JobEvent], JobStatus]] = {
    (JobStatus.pending, JobEvent.start): JobStatus.running,
    (JobStatus.pending, JobEvent.cancel): JobStatus.cancelled,
    # It cannot be read, or estimated.
    (JobStatus.pending, JobEvent.fail): JobStatus.failed,
    (JobStatus.running, JobEvent.pause): JobStatus.paused,
    (JobStatus.running, JobEvent.cancel): JobStatus.cancelled,
    (JobStatus.running, JobEvent.finish): JobStatus.completed,
    (JobStatus.running, JobEvent.fail): JobStatus.failed,
    (JobStatus.running, JobEvent.undone): JobStatus.cancelled,
    (JobStatus.paused, JobEvent.resume): JobStatus.running,
    (JobStatus.paused, JobEvent.cancel): JobStatus.cancelled,
    (JobStatus.completed, JobEvent.retry): JobStatus.running,
    (JobStatus.completed, JobEvent.undo): JobStatus.running,
    (JobStatus.failed, JobEvent.retry): JobStatus.running,
    (JobStatus.failed, JobEvent.undo): JobStatus.running,
    (JobStatus.cancelled, JobEvent.undo): JobStatus.running,
}
"""From each status, by what happens, the one that follows."""

ROW_TRANSITIONS: Final[Mapping[tuple[RowStatus, RowEvent], RowStatus]] = {
    (RowStatus.pending, RowEvent.claim): RowStatus.processing,
    (RowStatus.pending, RowEvent.refuse): RowStatus.failed,
    (RowStatus.pending, RowEvent.edit): RowStatus.pending,
    (RowStatus.processing, RowEvent.release): RowStatus.pending,
    (RowStatus.processing, RowEvent.complete): RowStatus.completed,
    (RowStatus.processing, RowEvent.refuse): RowStatus.failed,
    (RowStatus.processing, RowEvent.skip): RowStatus.skipped,
    (RowStatus.processing, RowEvent.review): RowStatus.needs_review,
    (RowStatus.failed, RowEvent.edit): RowStatus.failed,
    (RowStatus.failed, RowEvent.retry): RowStatus.pending,
    # Of an all-or-nothing job the good rows wait for the bad one.
    (RowStatus.skipped, RowEvent.retry): RowStatus.pending,
    (RowStatus.needs_review, RowEvent.edit): RowStatus.failed,
    (RowStatus.completed, RowEvent.claim_undo): RowStatus.processing,
    (RowStatus.needs_review, RowEvent.claim_undo): RowStatus.processing,
    (RowStatus.processing, RowEvent.release_undo): RowStatus.completed,
    (RowStatus.processing, RowEvent.undo): RowStatus.skipped,
}
"""The same of rows. `needs_review` is undone only where something of it was booked."""

ENDED: Final = frozenset({JobStatus.completed, JobStatus.failed, JobStatus.cancelled})
"""Jobs that no worker touches unless somebody asks for more."""

_DONE: Final = frozenset(
    {RowStatus.completed, RowStatus.failed, RowStatus.skipped, RowStatus.needs_review}
)

_Status = TypeVar("_Status", JobStatus, RowStatus)
_Event = TypeVar("_Event", JobEvent, RowEvent)


class Counts(NamedTuple):
    """What rows add to the counters of their job; `cost` in whole cents."""

    processed: int = 0
    successful: int = 0
    failed: int = 0
    cost: int = 0

    def __add__(self, other: tuple[int, ...]) -> "Counts":  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the sums of both."""
        return Counts(*(one + two for one, two in zip(self, other, strict=True)))

    def __neg__(self) -> "Counts":
        """Return what takes them away again."""
        return Counts(*(-one for one in self))


def counts_of(status: RowStatus, cost: int) -> Counts:
    """Return what a row of a status and cost adds to its job."""
    return Counts(
        int(status in _DONE),
        int(status is RowStatus.completed),
        int(status is RowStatus.failed),
        cost,
    )


def job_after(status: JobStatus, event: JobEvent) -> JobStatus:
    """Return the status of a job after an event. Raises InvalidState where it is forbidden."""
    return _after(JOB_TRANSITIONS, "job", status, event)


def row_after(status: RowStatus, event: RowEvent) -> RowStatus:
    """Return the status of a row after an event. Raises InvalidState where it is forbidden."""
    return _after(ROW_TRANSITIONS, "row", status, event)


def _after(
    table: Mapping[tuple[_Status, _Event], _Status], thing: str, status: _Status, event: _Event
) -> _Status:
    after = table.get((status, event))
    if after is None:
        allowed = [each for at, each in table if at is status]
        may = f"From there: {', '.join(allowed)}." if allowed else "Nothing more becomes of it."
        raise InvalidState(f"The {thing} is {status}; {event} is not possible then. {may}")
    return after
